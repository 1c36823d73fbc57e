package augment

// tone changes brightness and contrast, adds noise, and keeps the result within 0…1. img is [C,H,W].
func (p Pipeline) tone(img []float32, s *stream) {
	if p.Brightness == 0 && p.Contrast == 0 && p.Noise == 0 {
		return
	}
	add, factor := 0.0, 1.0
	if p.Brightness > 0 {
		add = s.around(p.Brightness)
	}
	if p.Contrast > 0 {
		factor = 1 + s.around(p.Contrast)
	}
	m := mean(img)
	scale, shift := float32(factor), m*float32(1-factor)+float32(add)
	for i, v := range img {
		v = v*scale + shift
		if p.Noise > 0 {
			v += float32(s.rand.NormFloat64() * p.Noise)
		}
		img[i] = clamp(v, 1)
	}
}

// cutout sets a square to the image's mean. Its centre is any pixel, so that at the borders less is cut.
func (p Pipeline) cutout(img []float32, c, h, w int, s *stream) {
	if p.Cutout == 0 {
		return
	}
	top, left := s.rand.IntN(h)-p.Cutout/2, s.rand.IntN(w)-p.Cutout/2
	from, to := max(left, 0), min(left+p.Cutout, w)
	m := mean(img)
	for k := range c {
		for y := max(top, 0); y < min(top+p.Cutout, h); y++ {
			line := img[(k*h+y)*w:]
			for x := from; x < to; x++ {
				line[x] = m
			}
		}
	}
}

func mean(img []float32) float32 {
	var sum float64
	for _, v := range img {
		sum += float64(v)
	}
	return float32(sum / float64(len(img)))
}
