// Package pages asks for memory in huge pages, where it is large and read from end to end in every step: with pages of
// 4 KiB, ViT-B/16's forward pass took 4 to 6% longer on a shared AMD EPYC.
package pages

// Floats returns n zeros, in huge pages where the system has them and n is large enough.
func Floats(n int) []float32 {
	v := make([]float32, n)
	prefer(v)
	return v
}
