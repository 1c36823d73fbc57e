package onnx

// Gelu adds the exact GELU, x/2·(1+erf(x/√2)), for models whose operators have none (before opset 20), in the order that
// ONNX Runtime fuses into one. sqrt2, one and half name constants of those values.
func (b *Builder) Gelu(name, x, sqrt2, one, half string) string {
	y := b.Op("Div", name+"_div", []string{x, sqrt2})
	y = b.Op("Erf", name+"_erf", []string{y})
	y = b.Op("Add", name+"_add", []string{y, one})
	y = b.Op("Mul", name+"_mul", []string{x, y})
	return b.Op("Mul", name, []string{y, half})
}
