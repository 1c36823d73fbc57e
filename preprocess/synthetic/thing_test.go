package synthetic_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"testing"

	"graft/preprocess/synthetic"
)

func ExampleThing() {
	classes := synthetic.ThingClasses()
	im := synthetic.Thing(1, 42, 4)
	fmt.Println(len(classes), classes[4], classes[159], im.C, im.H, im.W)
	// Output: 160 level-cup person-60 1 48 48
}

// What was trained on them can only be remade while they stay: they change only on purpose.
func TestThingsStayTheSame(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("recorded on amd64; other architectures may fuse multiply and add")
	}
	h := sha256.New()
	for i := range uint64(160) {
		h.Write(synthetic.Thing(7, i, int(i)).Pix)
	}
	const want = "ee40e49dae516e3dde4af83f992993ff245f11b32521ac19364d2eaa09ab3ac9"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("things hash to %s, want %s", got, want)
	}
}

// Of one stream, two signs that differ in one mark differ where it stands and not in the
// other half; two people differ all over; and equal labels of other streams differ.
func TestThingsShowTheirLabel(t *testing.T) {
	halves := func(a, b []uint8) (upper, lower float64) {
		for i := range a {
			d := float64(a[i]) - float64(b[i])
			if i < len(a)/2 {
				upper += d * d
			} else {
				lower += d * d
			}
		}
		return upper, lower
	}
	var above, below [2]float64 // in the upper and the lower half
	for stream := range uint64(80) {
		i := int(stream) % 10
		a := synthetic.Thing(5, stream, 10*i+i)
		u, l := halves(a.Pix, synthetic.Thing(5, stream, 10*((i+1)%10)+i).Pix)
		above[0], above[1] = above[0]+u, above[1]+l
		u, l = halves(a.Pix, synthetic.Thing(5, stream, 10*i+(i+1)%10).Pix)
		below[0], below[1] = below[0]+u, below[1]+l
		if u, l := halves(synthetic.Thing(5, stream, 100+i).Pix, synthetic.Thing(5, stream, 101+i).Pix); u < 1e4 || l < 1e4 {
			t.Errorf("people %d and %d differ by %.0f above and %.0f below", i, i+1, u, l)
		}
		if string(a.Pix) == string(synthetic.Thing(5, stream+80, 10*i+i).Pix) || string(a.Pix) != string(synthetic.Thing(5, stream, 160+10*i+i).Pix) {
			t.Errorf("stream %d: another stream gives the same, or a label out of range not its remainder", stream)
		}
	}
	if !(above[0] > 10*above[1]) || !(below[1] > 10*below[0]) || !(above[0] > 1e6) || !(below[1] > 1e6) {
		t.Errorf("changing the mark above changes the halves by %.0f, that below by %.0f", above, below)
	}
}

// No picture is flat: a mark is seen on its plate.
func TestThingsHaveContrast(t *testing.T) {
	for i := range 160 {
		lo, hi := uint8(255), uint8(0)
		for _, v := range synthetic.Thing(9, uint64(i), i).Pix {
			lo, hi = min(lo, v), max(hi, v)
		}
		if hi-lo < 30 {
			t.Errorf("label %d: %d to %d", i, lo, hi)
		}
	}
}
