package pretrained

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/vit/vittest"
)

func TestHalfIsRefusedOnTheCPU(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	if _, err := precision.ConvertFile(path, path, precision.Float16); err != nil {
		t.Fatal(err)
	}
	for _, p := range []session.Provider{session.CPU, session.Auto} {
		b, err := Open(t.Context(), path, Options{Runtime: session.Options{Provider: p}})
		if err == nil && b.Provider() != session.CPU {
			b.Close()
			t.Skipf("%s runs here, which may take the file", b.Provider())
		}
		if !errors.Is(err, errHalfOnCPU) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--precision") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestCheckPrecision(t *testing.T) {
	for _, c := range []struct {
		kind     string
		provider session.Provider
		refused  bool
	}{
		{"float16", session.CPU, true},
		{"float16", session.CUDA, false},
		{"int8", session.CPU, false},
		{"float32", session.CPU, false},
	} {
		if err := checkPrecision(c.kind, c.provider, nil); (err != nil) != c.refused {
			t.Errorf("%s on %s: %v", c.kind, c.provider, err)
		}
	}
	why := errors.New("no driver")
	if err := checkPrecision("float16", session.CPU, []error{why}); !errors.Is(err, why) || !errors.Is(err, errHalfOnCPU) {
		t.Errorf("%v does not say why the accelerators were passed over", err)
	}
}

// TestSaturationIsTold: on processors where ONNX Runtime's sums of int8 may saturate, and of such files alone.
func TestSaturationIsTold(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	defer func(f func() bool) { saturates = f }(saturates)
	for _, kind := range []precision.Kind{precision.Float32, precision.Int8} {
		if _, err := precision.ConvertFile(path, path, kind); err != nil && kind != precision.Float32 {
			t.Fatal(err)
		}
		for k, p := range []session.Provider{session.CPU, session.Go, session.CPU} {
			saturates = func() bool { return k < 2 }
			var notes []string
			o := Options{Runtime: session.Options{Provider: p, Note: func(n string) { notes = append(notes, n) }}}
			b, err := Open(t.Context(), path, o)
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
			told := strings.Contains(strings.Join(notes, "\n"), "can saturate")
			if want := kind == precision.Int8 && p == session.CPU && k < 2; told != want {
				t.Errorf("%s on %s: said %q", kind, p, notes)
			}
		}
	}
}

// TestInt8AloneAndInABatch: what an image gives does not depend on its
// neighbours, to the bit. (In float32 too the last bits of a mean over tokens
// depend on how ONNX Runtime cuts the batch.)
func TestInt8AloneAndInABatch(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	if _, err := precision.ConvertFile(path, path, precision.Int8); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), path, Options{Runtime: session.Options{Provider: session.CPU, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Precision() != "int8" {
		t.Errorf("precision %s", b.Precision())
	}
	rng := rand.New(rand.NewPCG(8, 8))
	batch := []preprocess.Image{randomImage(rng, 1, 48, 48), randomImage(rng, 1, 48, 48), preprocess.New(1, 48, 48)}
	taps := []string{"cls", "cls_1", "cls_2"}
	together := outputs(b, len(batch), taps)
	if err := b.Run(t.Context(), batch, taps, together); err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		alone := outputs(b, 1, taps)
		if err := b.Run(t.Context(), batch[i:i+1], taps, alone); err != nil {
			t.Fatal(err)
		}
		for k, tap := range taps {
			if want := together[k][i*len(alone[k]) : (i+1)*len(alone[k])]; !slices.Equal(alone[k], want) {
				t.Errorf("image %d, %s: %v alone, %v in a batch", i, tap, alone[k][:4], want[:4])
			}
		}
	}
}
