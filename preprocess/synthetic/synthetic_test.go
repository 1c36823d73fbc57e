package synthetic_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/jpeg"
	"runtime"
	"testing"

	"graft/preprocess/synthetic"
)

func ExampleFace() {
	im := synthetic.Face(1, 42, 3)
	again := synthetic.Face(1, 42, 3)
	fmt.Println(im.C, im.H, im.W, string(im.Pix) == string(again.Pix))
	// Output: 1 48 48 true
}

// The drawings are part of published results: they change only on purpose.
func TestFacesStayTheSame(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("recorded on amd64; other architectures may fuse multiply and add")
	}
	h := sha256.New()
	for i := range uint64(70) {
		h.Write(synthetic.Face(7, i, int(i%7)).Pix)
	}
	const want = "6a42485f9672ba49a7798bbb58251cd49815dbf384951f8cf1e1cff4720c5055"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("faces hash to %s, want %s", got, want)
	}
}

// Every seed, stream and expression gives another picture, none of them flat.
func TestFacesDiffer(t *testing.T) {
	seen := map[string]string{}
	for seed := range uint64(3) {
		for stream := range uint64(20) {
			for e := range 7 {
				im := synthetic.Face(seed, stream, e)
				name := fmt.Sprintf("seed %d, stream %d, expression %d", seed, stream, e)
				if other, ok := seen[string(im.Pix)]; ok {
					t.Fatalf("%s equals %s", name, other)
				}
				seen[string(im.Pix)] = name
				lo, hi := im.Pix[0], im.Pix[0]
				for _, v := range im.Pix {
					lo, hi = min(lo, v), max(hi, v)
				}
				if hi-lo < 30 {
					t.Errorf("%s is nearly flat: %d to %d", name, lo, hi)
				}
			}
		}
	}
}

// The expression shows, and nothing else changes with it: of one stream, two
// expressions differ in the middle of the face and agree around it.
func TestExpressionsShow(t *testing.T) {
	const n = 60
	for a := range 7 {
		for b := range a {
			var inside, corners float64
			for i := range uint64(n) {
				x, y := synthetic.Face(3, i, a).Pix, synthetic.Face(3, i, b).Pix
				for k := range x {
					d := float64(x[k]) - float64(y[k])
					px, py := k%48, k/48
					switch {
					case px >= 12 && px < 36 && py >= 10 && py < 42:
						inside += d * d / (24 * 32 * n)
					case (px < 3 || px >= 45) && py < 3:
						corners += d * d / (6 * 3 * n)
					}
				}
			}
			if !(inside > 100) || !(corners < 10) {
				t.Errorf("expressions %d and %d differ by %.0f inside the face and %.1f in the corners, want over 100 and under 10", a, b, inside, corners)
			}
		}
	}
}

func BenchmarkFace(b *testing.B) {
	i := uint64(0)
	for b.Loop() {
		synthetic.Face(1, i, int(i%7))
		i++
	}
}

// A photograph compresses to the length that photographs have, and every stream
// is another picture.
func TestPhotosAreLikePhotographs(t *testing.T) {
	seen := map[string]bool{}
	for stream := range uint64(6) {
		im := synthetic.Photo(1, stream, 375, 500)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, im.ToImage(), &jpeg.Options{Quality: 92}); err != nil {
			t.Fatal(err)
		}
		if n := b.Len(); n < 40_000 || n > 100_000 {
			t.Errorf("stream %d: %d bytes of JPEG, want 40 to 100 kB", stream, n)
		}
		seen[b.String()] = true
	}
	if len(seen) != 6 || !bytes.Equal(synthetic.Photo(2, 3, 20, 30).Pix, synthetic.Photo(2, 3, 20, 30).Pix) {
		t.Errorf("%d different pictures, want 6, and equal ones of equal seeds", len(seen))
	}
}
