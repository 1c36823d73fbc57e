package train

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/pretrained/checkpoint"
)

func TestImportGivesPyTorchsLogits(t *testing.T) {
	for _, kind := range []string{nets.KindCNN, nets.KindViT} {
		t.Run(kind, func(t *testing.T) {
			f, err := checkpoint.Open(filepath.Join("..", "nets", "testdata", "study_"+kind+".safetensors"), "")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			read := func(name string) []float32 {
				v, err := f.Float32(name)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			var list []checkpoint.Tensor
			for _, name := range f.Names() {
				if short, ok := strings.CutPrefix(name, "weight."); ok {
					info, _ := f.Info(name)
					list = append(list, checkpoint.Tensor{Name: short, Shape: info.Shape, Data: read(name)})
				}
			}
			dir := t.TempDir()
			c, err := NewImportConfig(kind)
			if err != nil {
				t.Fatal(err)
			}
			c.Weights, c.Out = filepath.Join(dir, "torch.safetensors"), filepath.Join(dir, "run")
			if err := checkpoint.WriteSafetensors(c.Weights, list, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := Import(context.Background(), c); err != nil {
				t.Fatal(err)
			}
			checkLogits(t, c.Out, read("x"), read("inference"))
			checkImportIsStrict(t, c, list)
		})
	}
}

// Of weights and their average the average is imported, and the run says so.
func TestImportKey(t *testing.T) {
	c, err := NewImportConfig(nets.KindCNN)
	if err != nil {
		t.Fatal(err)
	}
	net, err := nets.ForClasses(c.Net, 7)
	if err != nil {
		t.Fatal(err)
	}
	var list []checkpoint.Tensor
	for _, w := range net.Weights() {
		n := 1
		for _, d := range w.Shape {
			n *= d
		}
		raw := checkpoint.Tensor{Name: "model." + w.Name, Shape: w.Shape, Data: slices.Repeat([]float32{1}, n)}
		mean := checkpoint.Tensor{Name: "ema_model." + w.Name, Shape: w.Shape, Data: slices.Repeat([]float32{2}, n)}
		list = append(list, raw, mean)
	}
	dir := t.TempDir()
	c.Weights = filepath.Join(dir, "torch.safetensors")
	if err := checkpoint.WriteSafetensors(c.Weights, list, nil); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float32{"": 2, "model": 1} {
		c.Key, c.Out = key, filepath.Join(dir, "run"+key)
		r, err := Import(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Weights[net.Weights()[0].Name][0]; got != want || len(r.Config.Imported.OtherKeys) != 1 || !strings.Contains(r.Config.Notes[0], "--key") {
			t.Errorf("key %q: weights of %v, want %v; %+v, %q", key, got, want, r.Config.Imported, r.Config.Notes)
		}
	}
}

// Whatever stands before the names is found, and what lies beside is left out and noted.
func TestImportPrefix(t *testing.T) {
	c, err := NewImportConfig(nets.KindCNN)
	if err != nil {
		t.Fatal(err)
	}
	net, err := nets.ForClasses(c.Net, 7)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c.Weights = filepath.Join(dir, "torch.safetensors")
	for i, prefix := range []string{"net.", "lit.emotions.cnn.", "module.lit._orig_mod."} {
		list := []checkpoint.Tensor{{Name: "criterion.weight", Shape: []int{1}, Data: []float32{1}}}
		for _, w := range net.Weights() {
			list = append(list, checkpoint.Tensor{Name: prefix + w.Name, Shape: w.Shape, Data: slices.Repeat([]float32{3}, w.Size())})
		}
		if err := checkpoint.WriteSafetensors(c.Weights, list, nil); err != nil {
			t.Fatal(err)
		}
		for _, c.Prefix = range []string{"", prefix} {
			c.Out, c.Force = filepath.Join(dir, "run"), i > 0 || c.Prefix != ""
			r, err := Import(t.Context(), c)
			if err != nil {
				t.Errorf("%s, --prefix %q: %v", prefix, c.Prefix, err)
				continue
			}
			if r.Config.Imported.Key != strings.TrimSuffix(prefix, ".") || !strings.Contains(strings.Join(r.Config.Notes, " "), "criterion") {
				t.Errorf("%s: %+v, notes %q", prefix, r.Config.Imported, r.Config.Notes)
			}
		}
	}
}

func checkLogits(t *testing.T, dir string, x, want []float32) {
	t.Helper()
	r, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := model.Evaluator(r, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Logits(context.Background(), imagesOf{x, r.Config.Net.InputShape()}, nil)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d logits (%v), want %d", len(got), err, len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5*(1+math.Abs(float64(want[i])))) {
			t.Errorf("logit %d is %g, PyTorch's %g", i, got[i], want[i])
		}
	}
}

type imagesOf struct {
	x     []float32
	shape []int
}

func (s imagesOf) size() int    { return s.shape[0] * s.shape[1] * s.shape[2] }
func (s imagesOf) Len() int     { return len(s.x) / s.size() }
func (s imagesOf) Shape() []int { return s.shape }
func (s imagesOf) Views() int   { return 1 }
func (s imagesOf) View(x []float32, _ int, rows []int) error {
	for i, r := range rows {
		copy(x[i*s.size():(i+1)*s.size()], s.x[r*s.size():])
	}
	return nil
}

func checkImportIsStrict(t *testing.T, c ImportConfig, list []checkpoint.Tensor) {
	t.Helper()
	c.Out += "-other"
	list[0].Name += "x"
	if err := checkpoint.WriteSafetensors(c.Weights, list, nil); err != nil {
		t.Fatal(err)
	}
	_, err := Import(context.Background(), c)
	runtest.WantError(t, err, "unexpected tensor", list[0].Name, "is missing")
	c.Classes = c.Classes[:3]
	_, err = Import(context.Background(), c)
	runtest.WantError(t, err, "shape")
	if exists(c.Out) {
		t.Error("a refused import made its folder")
	}
}
