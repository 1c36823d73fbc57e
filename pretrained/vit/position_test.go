package vit

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// TestPositionsEqualLibraries compares each family's resampling with its own
// library's, smaller and larger.
func TestPositionsEqualLibraries(t *testing.T) {
	f := openFile(t, filepath.Join("testdata", "positions.safetensors"))
	pos, err := f.Float32("pos")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, library string
		r             resampling
	}{
		{"torchvision", "torchvision", torchvision.resample}, {"timm", "timm", timm.resample}, {"openai", "timm", openAI.resample},
		{"huggingface", "huggingface", huggingFace.resample}, {"huggingface-clip", "huggingface", huggingFaceCLIP.resample},
		{"huggingface-siglip", "huggingface", huggingFaceSigLIP.resample}, {"dinov2", "dinov2", dinoResample},
		{"dinov2 with registers", "timm", dinov2Registered},
	} {
		for _, m := range []int{2, 3, 7, 9} {
			want, err := f.Float32(fmt.Sprintf("%s.%d", c.library, m))
			if err != nil {
				t.Fatal(err)
			}
			if e := relativeError(c.r.positions(pos, 6, 1, grid{4, 4}, grid{m, m}), want); !(e <= 1e-6) {
				t.Errorf("%s 4 to %d: relative error %g", c.name, m, e)
			}
			// Without a class token the patches are the same.
			if e := relativeError(c.r.positions(pos[6:], 6, 0, grid{4, 4}, grid{m, m}), want[6:]); !(e <= 1e-6) {
				t.Errorf("%s 4 to %d without a class token: relative error %g", c.name, m, e)
			}
		}
	}
}

// TestResamplingMatrix: weights sum to one, and the same size changes nothing.
func TestResamplingMatrix(t *testing.T) {
	for _, fam := range families {
		for _, size := range [][2]int{{14, 14}, {14, 24}, {24, 14}, {14, 1}, {1, 5}, {2, 9}} {
			n, m := size[0], size[1]
			w := fam.resample.matrix(n, m)
			for i := range m {
				sum := 0.0
				for j := range n {
					sum += w[i*n+j]
					if n == m && fam.resample.offset == 0 && !(math.Abs(w[i*n+j]-map[bool]float64{true: 1}[i == j]) <= 1e-12) {
						t.Errorf("%s %d to %d: weight %d,%d is %g", fam.name, n, m, i, j, w[i*n+j])
					}
				}
				if !(math.Abs(sum-1) <= 1e-12) {
					t.Errorf("%s %d to %d: row %d sums to %g", fam.name, n, m, i, sum)
				}
			}
		}
	}
}

func TestSetImageSize(t *testing.T) {
	m := loadFixture(t, "timm.safetensors")
	before, err := m.tensor("pos")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{64, 16, 32} { // there and back: from the checkpoint's each time
		if err := m.setImageSize(n, 0); err != nil {
			t.Fatal(err)
		}
		pos, err := m.tensor("pos")
		if err != nil {
			t.Fatal(err)
		}
		if want := (1 + n/8*n/8) * 32; len(pos) != want {
			t.Errorf("%d pixels: %d numbers, want %d", n, len(pos), want)
		}
		if n == 32 && relativeError(pos, before) != 0 {
			t.Error("the checkpoint's own size changed the embedding")
		}
	}
	for n, want := range map[int]string{30: "24 and 32", 6: "8 and 16", 0: "image size is 0", -8: "image size is -8", 1 << 20: "image size is 1048576", 8 * 257: "257 patches"} {
		if err := m.setImageSize(n, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d pixels: got %v, want an error with %q", n, err, want)
		}
	}
	if m.Config.Image != 32 {
		t.Errorf("a refused size changed the model to %d", m.Config.Image)
	}
}
