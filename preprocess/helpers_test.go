package preprocess_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"graft/preprocess"
)

// readBytes reads a fixture of scripts/fixtures_preprocess.py and checks its length.
func readBytes(t *testing.T, name string, want int) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != want {
		t.Fatalf("%s holds %d bytes, want %d", name, len(data), want)
	}
	return data
}

func readFloats(t *testing.T, name string, want int) []float32 {
	t.Helper()
	data := readBytes(t, name, 4*want)
	out := make([]float32, want)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

// maxDiff is the largest difference, NaN if any value is.
func maxDiff[T uint8 | float32](a, b []T) float64 {
	worst := 0.0
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// random is an image of noise.
func random(seed uint64, c, h, w int) preprocess.Image {
	r := rand.New(rand.NewPCG(seed, 0))
	im := preprocess.New(c, h, w)
	for i := range im.Pix {
		im.Pix[i] = uint8(r.Uint32())
	}
	return im
}
