package pretrained

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/pretrained/vit/vittest"
)

// wrong is a session whose numbers are off.
type wrong struct {
	session.Session
	factor float32
	runs   int
}

func (w *wrong) Run(ctx context.Context, in, out []session.Tensor) error {
	w.runs++
	err := w.Session.Run(ctx, in, out)
	for _, t := range out {
		v := t.Data.([]float32)
		v[len(v)/2] *= w.factor
	}
	return err
}

// believer opens a file on provider go, whose numbers are multiplied.
func believer(t *testing.T, f *File, factor float32) (*wrong, session.Options) {
	t.Helper()
	o := session.Options{Provider: session.Go, Outputs: []string{"cls"}}
	s, err := f.start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &wrong{Session: s, factor: factor}, o
}

// TestBelieve: a provider is compared once, and refused with the numbers where it is off.
func TestBelieve(t *testing.T) {
	orttest.Require(t)
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the caches of other systems are not told by a variable")
	}
	f, err := OpenFile(vittest.WriteTiny(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	off, o := believer(t, f, 1.01)
	for range 2 { // what is off is not kept
		err := f.believe(t.Context(), off, o, f.trial(o.Outputs))
		if err == nil || !strings.Contains(err.Error(), `"cls" is 0.0`) || !strings.Contains(err.Error(), "provider cpu") || !strings.Contains(err.Error(), f.Path) {
			t.Errorf("off: %v", err)
		}
	}
	var notes []string
	good, _ := believer(t, f, 1)
	o.Note = func(s string) { notes = append(notes, s) }
	for range 2 {
		if err := f.believe(t.Context(), good, o, f.trial(o.Outputs)); err != nil {
			t.Fatal(err)
		}
	}
	if good.runs != 1 || len(notes) != 1 {
		t.Errorf("compared %d times, said %q; want once", good.runs, notes)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "graft", "compared", "*.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%v, %v", kept, err)
	}
	data, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil || c["schema"] != "graft-comparison-1" || c["provider"] != "go" || !(c["distance"].(float64) < believed) {
		t.Errorf("%v, %s", err, data)
	}
	// Another program, another comparison.
	if err := os.WriteFile(kept[0], []byte(strings.Replace(string(data), `"build": "`, `"build": "older `, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.believe(t.Context(), good, o, f.trial(o.Outputs)); err != nil || good.runs != 2 {
		t.Errorf("%v; compared %d times, want again", err, good.runs)
	}
}

// TestBelieveWeights: what was found of a file says nothing of other weights in its place.
func TestBelieveWeights(t *testing.T) {
	orttest.Require(t)
	if runtime.GOOS == "linux" {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
	}
	f, err := OpenFile(vittest.WriteTiny(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	var said int
	o := Options{Runtime: session.Options{Provider: session.Go, Note: func(string) { said++ }}, Taps: []string{"cls"}}
	for _, c := range []struct {
		weights string
		said    int
	}{{"", 1}, {"tuned", 2}, {"tuned", 2}, {"again", 3}, {"", 3}} {
		changed := false
		file := f.Changed(c.weights, func(*onnx.Model) error { changed = true; return nil })
		b, err := file.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		if said != c.said || !changed {
			t.Errorf("weights %q: %d comparisons by now, want %d", c.weights, said, c.said)
		}
	}
	// Without another engine, the plain loops compute with the changed weights too.
	changed := false
	file := f.Changed("tuned", func(*onnx.Model) error { changed = true; return nil })
	if err := file.checkEngine(t.Context(), &comparison{}, file.trial(nil)); err != nil || !changed {
		t.Errorf("the file's own weights were compared, %v", err)
	}
}

// TestBelieveForeign: so are providers of foreign models, of a fixed batch and sizes that are left open too.
func TestBelieveForeign(t *testing.T) {
	orttest.Require(t)
	if runtime.GOOS == "linux" {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
	}
	for _, batch := range []int64{0, 3} {
		m := &onnx.Model{Opset: 13}
		b := onnx.NewBuilder(m)
		x := b.Input("x", onnx.Float32, dims(batch, 3, 0, 0)...)
		b.Output("y", b.Op("GlobalAveragePool", "y", []string{b.Op("Relu", "relu", []string{x})}), onnx.Float32, dims(0, 0, 0, 0)...)
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := m.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		spec := half
		spec.Size, spec.Pool = 6, PoolMean
		var notes []string
		o := session.Options{Provider: session.Go, Note: func(s string) { notes = append(notes, s) }}
		backbone, err := Open(t.Context(), path, Options{Foreign: &spec, Runtime: o})
		if err != nil {
			t.Fatal(err)
		}
		defer backbone.Close()
		if len(notes) != 1 || !strings.Contains(notes[0], "compared with provider cpu") {
			t.Errorf("batch %d: said %q", batch, notes)
		}
	}
}

// TestCheckEngine: without another engine the first block is compared with plain loops.
func TestCheckEngine(t *testing.T) {
	f, err := OpenFile(vittest.WriteTiny(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	var c comparison
	if err := f.checkEngine(t.Context(), &c, f.trial(nil)); err != nil || !(c.Distance > 0 && c.Distance < 1e-5) || c.At == "" || !strings.Contains(c.Reference, "float64") {
		t.Errorf("%v, %+v", err, c)
	}
}
