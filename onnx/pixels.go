package onnx

import "math"

// What comes before a network in files from pixels is written in operators that other engines have too, and run rightly:
// WebGPU casts no bytes, and OpenVINO joins a product of [N,1,H,W] and [1,3,1,1] with the resizing before it as if there
// had been three channels.

// Floats adds pixels, uint8, as float32 in 0…255.
func (b *Builder) Floats(pixels string) string {
	zero := b.Const("pixel_zero", Uint8, nil, Bytes([]byte{0}))
	return b.Op("DequantizeLinear", "pixels_float", []string{pixels, b.Float32s("pixel_unit", []float32{1}), zero})
}

// Stretched adds pictures, float32 [N,C,H,W] of any size, as [N,C,height,width]: bilinear, half-pixel centres, no antialias.
// Its operator's axes came with set 18.
func (b *Builder) Stretched(x string, height, width int) string {
	return b.Op("Resize", "resized", []string{x, "", "", b.Int64s("image_size", int64(height), int64(width))},
		Attr{Name: "antialias", Value: 0}, Attr{Name: "axes", Value: []int64{2, 3}},
		Attr{Name: "coordinate_transformation_mode", Value: "half_pixel"}, Attr{Name: "mode", Value: "linear"})
}

// RGB adds x, [N,C,H,W] of one channel or three, as [N,3,H,W]: the first three of the channels of x, x and x.
func (b *Builder) RGB(x string) string {
	x = b.Op("Concat", "channels", []string{x, x, x}, Attr{Name: "axis", Value: int64(1)})
	return b.Op("Slice", "rgb", []string{x, b.Int64s("rgb_start", 0), b.Int64s("rgb_end", 3), b.Int64s("rgb_axis", 1)})
}

// Mirrored doubles the batch: x, float32 [N,C,H,W], followed by the same mirrored left to right.
func (b *Builder) Mirrored(x string) string {
	return b.Op("Concat", "both_sides", []string{x, b.Mirror(x)}, Attr{Name: "axis", Value: int64(0)})
}

// Mirror turns x, float32 [N,C,H,W], left to right.
func (b *Builder) Mirror(x string) string {
	return b.Op("Slice", "mirrored", []string{x, b.Int64s("mirror_start", -1), b.Int64s("mirror_end", math.MinInt64),
		b.Int64s("mirror_axis", 3), b.Int64s("mirror_step", -1)})
}
