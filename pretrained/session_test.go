package pretrained

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// tuned are networks of every family and precision.
var tuned = []struct {
	name   string
	change func(*vit.Config)
	kind   precision.Kind
	outs   string // alternatives separated by spaces
}{
	{"plain", func(c *vit.Config) {}, precision.Float32, "cls mean cls_2 cls_1,cls mean_1,cls logits,cls cls_2,mean"},
	{"wide", func(c *vit.Config) { c.MLP = 1024 }, precision.Float32, "cls mean cls,cls_2"},
	{"wide tanh", func(c *vit.Config) { c.MLP, c.Activation = 1024, vit.TanhGELU }, precision.Float32, "cls mean"},
	{"gated", func(c *vit.Config) { c.MLP, c.Gated = 1024, true }, precision.Float32, "cls mean"},
	{"clip", func(c *vit.Config) {
		c.MLP, c.Activation, c.PreNorm, c.NoPatchBias, c.Projection = 2048, vit.QuickGELU, true, true, 24
	}, precision.Float32, "cls proj proj,mean"},
	{"deit", func(c *vit.Config) { c.Distilled = true }, precision.Float32, "cls dist cls,dist"},
	{"dinov2", func(c *vit.Config) { c.LayerScale, c.Registers = true, 4 }, precision.Float32, "cls mean"},
	{"siglip", func(c *vit.Config) { c.NoClass, c.AttnPool = true, true }, precision.Float32, "pool mean"},
	{"int8", func(c *vit.Config) { c.MLP = 1024 }, precision.Int8, "cls mean cls,mean_2"},
}

// TestTunedGivesTheSame: rewritten graphs give what the file says, whatever
// family, precision and outputs.
func TestTunedGivesTheSame(t *testing.T) {
	orttest.Require(t)
	for _, tc := range tuned {
		c := vittest.Config
		tc.change(&c)
		path := vittest.Write(t, t.TempDir(), c, 3)
		if tc.kind != precision.Float32 {
			if _, err := precision.ConvertFile(path, path, tc.kind); err != nil {
				t.Fatal(err)
			}
		}
		want := runWith(t, path, "", orttest.Open)
		for _, outs := range strings.Fields(tc.outs) {
			for name, got := range runWith(t, path, outs, openPath) {
				if d := distance(got, want[name]); !(d <= 2e-6) {
					t.Errorf("%s, outputs %s: %s is %.2g from what the plain graph gives", tc.name, outs, name, d)
				}
			}
		}
	}
}

// openPath is OpenSession.
func openPath(path string, o session.Options) (session.Session, error) {
	return OpenSession(context.Background(), path, o)
}

// runWith runs three images through the session that open starts and returns the
// outputs asked for, "" being all.
func runWith(t *testing.T, path, outs string, open func(string, session.Options) (session.Session, error)) map[string][]float32 {
	t.Helper()
	o := session.Options{Provider: session.CPU}
	if outs != "" {
		o.Outputs = strings.Split(outs, ",")
	}
	s, err := open(path, o)
	if err != nil {
		t.Fatalf("%s: %v", outs, err)
	}
	defer s.Close()
	const n, side = 3, 24
	rng := rand.New(rand.NewPCG(5, 6))
	in := []session.Tensor{{Name: ownInput, Shape: []int64{n, 3, side, side}, Data: randomImage(rng, n*3, side, side).Pix}}
	got := map[string][]float32{}
	var list []session.Tensor
	for _, v := range s.Outputs() {
		if outs == "" || strings.Contains(","+outs+",", ","+v.Name+",") {
			got[v.Name] = make([]float32, n*v.Dims[1].Value)
			list = append(list, session.Tensor{Name: v.Name, Shape: []int64{n, v.Dims[1].Value}, Data: got[v.Name]})
		}
	}
	if err := s.Run(context.Background(), in, list); err != nil {
		t.Fatalf("%s: %v", outs, err)
	}
	return got
}

// distance is ‖a−b‖/‖b‖, and the norm of a where b is all zero.
func distance(a, b []float32) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.NaN()
	}
	var d, q float64
	for i := range a {
		e := float64(a[i]) - float64(b[i])
		d, q = d+e*e, q+float64(b[i])*float64(b[i])
	}
	if q == 0 {
		q = 1
	}
	return math.Sqrt(d / q)
}

// TestForeignSessionIsLeftAlone: what graft did not export runs as it is.
func TestForeignSessionIsLeftAlone(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	delete(m.Metadata, "graft.arch")
	foreign := filepath.Join(t.TempDir(), "foreign.onnx")
	if err := m.WriteFile(foreign); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSession(t.Context(), foreign, session.Options{Provider: session.CPU, Outputs: []string{"cls"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Outputs()) != len(m.Outputs) {
		t.Errorf("%d outputs, want all %d", len(s.Outputs()), len(m.Outputs))
	}
	f, err := OpenFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	f.Header.Outputs = f.Header.Outputs[:1] // to see that the header is not read a second time
	if again, err := f.OpenSession(t.Context(), session.Options{Provider: session.CPU}); err != nil || len(again.Outputs()) != 1 {
		t.Errorf("the file's header was read again (%v)", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := OpenSession(t.Context(), path, session.Options{Provider: session.CPU, Outputs: []string{"nothing"}}); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an output that is not there: %v", err)
	}
}

// TestTry: what only a runtime can tell is told before a file takes its name, in any precision.
func TestTry(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	m := &onnx.Model{Opset: 18}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"})
	b.Output("y", b.Op("Add", "sum", []string{x, b.Int64s("one", 1)}), onnx.Float32, onnx.Dim{Name: "N"})
	path := filepath.Join(dir, "m.onnx")
	if err := m.WriteFile(path, Try); err == nil || !strings.Contains(err.Error(), "write "+path) {
		t.Errorf("a sum of float32 and int64: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	float := vittest.WriteTiny(t, dir)
	for _, kind := range []precision.Kind{precision.Int8, precision.Float16} {
		if _, err := precision.ConvertFile(float, path, kind, Try); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
