package augment

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"graft/preprocess"
)

// A single image becomes what an Augmenter makes of it in a batch, to the nearest of 256 values, on any goroutine.
func TestImageIsTheAugmenters(t *testing.T) {
	const text = "hflip,shift=0.06,rotate=12,scale=0.15,contrast=0.3"
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for index := range 40 {
		im := preprocess.New(1+2*(index%2), 20+index%3, 24)
		pixels := make([]float32, len(im.Pix))
		for i := range im.Pix {
			im.Pix[i] = uint8(rng.IntN(256))
			pixels[i] = float32(im.Pix[i]) / 255
		}
		want := apply(t, text, pixels, im.C, im.H, im.W, 5, 3, index)
		wg.Go(func() {
			got, err := p.Image(im, 5, 3, index)
			if err != nil || got.C != im.C || got.H != im.H || got.W != im.W {
				t.Errorf("image %d: [%d,%d,%d], %v", index, got.C, got.H, got.W, err)
				return
			}
			for i, v := range got.Pix {
				if math.Abs(float64(v)-255*float64(want[i])) > 0.5001 {
					t.Errorf("image %d, pixel %d: %d, want %v", index, i, v, 255*want[i])
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := (Pipeline{Crop: 30}).Image(preprocess.New(1, 20, 20), 1, 0, 0); err == nil {
		t.Error("a crop larger than the image was made")
	}
}
