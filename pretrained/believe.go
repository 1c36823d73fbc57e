package pretrained

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/schema"
	"graft/onnx"
	"graft/onnx/precision"
	"graft/onnx/session"
)

// How far a provider's features may be from the reference's, ‖a−b‖/‖b‖. Sums in another
// order make 1e-6 of float32. Of the real ViT-Tiny/16 in int8 two engines were 4% apart
// behind its twelve blocks; that sums in another order make numbers round to the next
// step is likely, and was not shown to be all of it.
const (
	believed      = 1e-4
	believedSteps = 0.1
)

// trial is what two providers are compared on: images of random pixels, and the shapes
// of the outputs.
type trial struct {
	in     session.Tensor
	out    []session.Tensor // without data
	single bool             // the model takes one image too
}

// trial makes one for a model of one input of images; nil where the file does not say enough.
func (f *File) trial(outputs []string) *trial {
	values, err := session.SelectOutputs(f.Header.Outputs, outputs)
	if err != nil || len(f.Header.Inputs) != 1 || len(f.Header.Inputs[0].Dims) != 4 {
		return nil // what is wrong is told when the session starts
	}
	in := f.Header.Inputs[0]
	size := max(f.Meta.Spec.Size, 1)
	open := []int64{2, 3, int64(size), int64(cmp.Or(f.Meta.Spec.Width, size))}
	if f.Meta.Whole { // rows, columns, channels of a photograph
		open = []int64{2, 96, 128, 3}
	}
	shape := sizes(in.Dims, open)
	t := &trial{in: session.Tensor{Name: in.Name, Shape: shape, Data: randomPixels(in.Type, shape)}, single: in.Dims[0].Value < 1}
	for _, v := range values {
		to := sizes(v.Dims, []int64{shape[0]})
		if v.Type == onnx.Float32 && len(to) > 0 && slices.Min(to) > 0 {
			t.out = append(t.out, session.Tensor{Name: v.Name, Shape: to})
		}
	}
	if t.in.Data == nil || t.out == nil {
		return nil
	}
	return t
}

// sizes are those of dimensions, and of open ones what is given, else 0.
func sizes(dims []onnx.Dim, open []int64) []int64 {
	out := make([]int64, len(dims))
	for i, d := range dims {
		switch {
		case d.Value > 0:
			out[i] = d.Value
		case i < len(open):
			out[i] = open[i]
		}
	}
	return out
}

// randomPixels are bytes, or standard normal numbers; nil for other types.
func randomPixels(t onnx.DType, shape []int64) any {
	n, _ := onnx.Elements(shape)
	r := rand.New(rand.NewPCG(uint64(n), 0x70697865))
	switch t {
	case onnx.Uint8:
		v := make([]uint8, n)
		for i := range v {
			v[i] = uint8(r.Uint32())
		}
		return v
	case onnx.Float32:
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	return nil
}

// first is the input with its first image alone, where the model takes that.
func (t *trial) first() session.Tensor {
	in := t.in
	if !t.single {
		return in
	}
	n := int(in.Shape[1] * in.Shape[2] * in.Shape[3])
	in.Shape = append([]int64{1}, in.Shape[1:]...)
	switch v := in.Data.(type) {
	case []uint8:
		in.Data = v[:n]
	case []float32:
		in.Data = v[:n]
	}
	return in
}

// run fills the outputs.
func (t *trial) run(ctx context.Context, s session.Session) ([]session.Tensor, error) {
	out := slices.Clone(t.out)
	for i := range out {
		n, err := onnx.Elements(out[i].Shape)
		if err != nil {
			return nil, err
		}
		out[i].Data = make([]float32, n)
	}
	return out, s.Run(ctx, []session.Tensor{t.in}, out)
}

// comparison is a verdict, as it is kept for the next time, and whose it is.
type comparison struct {
	Model     string            `json:"model_sha256"`
	Weights   string            `json:"weights,omitempty"` // in the place of the file's, see Changed
	Provider  session.Provider  `json:"provider"`
	Device    int               `json:"device"`
	Settings  map[string]string `json:"settings,omitempty"`
	Outputs   []string          `json:"outputs"`
	Engine    string            `json:"engine"`  // and its version
	Build     string            `json:"build"`   // of this program
	Machine   string            `json:"machine"` // name and processor
	Reference string            `json:"reference"`
	At        string            `json:"at"`       // the output that differs most
	Distance  float64           `json:"distance"` // there
}

// believe compares what a provider other than the CPU computes with the CPU's features of
// a few images, once for each model, engine, build and machine; where ONNX Runtime is
// missing, the engine's first block with the plainest loops. What is off is an error.
func (f *File) believe(ctx context.Context, s session.Session, o session.Options, t *trial) error {
	if o.Trial || s.Provider() == session.CPU || t == nil {
		return nil
	}
	c, err := f.comparison(ctx, s, o)
	if err != nil || c.known() {
		return err
	}
	if err := f.compare(ctx, &c, s, o, t); err != nil {
		return fmt.Errorf("%s: provider %s cannot be compared with another one: %w", f.Path, c.Provider, err)
	}
	limit := believed
	if kind := f.Meta.Precision; kind != "" && kind != string(precision.Float32) {
		limit = believedSteps
	}
	if !(c.Distance <= limit) {
		return fmt.Errorf("%s: provider %s is off: its %q is %.2g away from that of %s, want at most %g; take another --provider", f.Path, c.Provider, c.At, c.Distance, c.Reference, limit)
	}
	if o.Note != nil {
		o.Note(fmt.Sprintf("%s on provider %s was compared with %s: %.1g apart at most", filepath.Base(f.Path), c.Provider, c.Reference, c.Distance))
	}
	c.keep()
	return nil
}

func (f *File) comparison(ctx context.Context, s session.Session, o session.Options) (comparison, error) {
	hash, err := f.Hash(ctx)
	c := comparison{Model: hash, Weights: f.weights, Provider: s.Provider(), Device: o.Device, Settings: o.ProviderOptions, Outputs: o.Outputs,
		Engine: s.Provider().Engine() + " " + s.RuntimeVersion(), Build: build(), Machine: machine()}
	return c, err
}

// compare fills in how far the provider is from its reference.
func (f *File) compare(ctx context.Context, c *comparison, s session.Session, o session.Options, t *trial) error {
	got, err := t.run(ctx, s)
	if err != nil {
		return err
	}
	// Without the runtime's rewriting of graphs, which makes products in 8 bits that saturate on some processors.
	cpu, err := f.start(session.Options{Provider: session.CPU, Threads: o.Threads, Outputs: o.Outputs, Trial: true})
	if err != nil && c.Provider == session.Go {
		return f.checkEngine(ctx, c, t)
	}
	if err != nil {
		return err
	}
	c.Reference = "provider cpu, ONNX Runtime " + cpu.RuntimeVersion()
	want, err := t.run(ctx, cpu)
	if err = errors.Join(err, cpu.Close()); err != nil {
		return err
	}
	for i := range got {
		if d := apart(got[i].Data.([]float32), want[i].Data.([]float32)); !(d <= c.Distance) || c.At == "" {
			c.At, c.Distance = got[i].Name, d
		}
	}
	return nil
}

// apart is ‖a−b‖/‖b‖, 0 of equal ones.
func apart(a, b []float32) float64 {
	var d, size float64
	for i := range b {
		d += math.Pow(float64(a[i])-float64(b[i]), 2)
		size += float64(b[i]) * float64(b[i])
	}
	if d == 0 {
		return 0
	}
	return math.Sqrt(d / size)
}

// path is where the verdict is kept.
func (c comparison) path() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %d %v %q %q", c.Model+c.Weights, c.Provider, c.Device, c.Settings, c.Outputs, c.Machine)
	return filepath.Join(base, "graft", "compared", hex.EncodeToString(h.Sum(nil))[:32]+".json"), nil
}

// known tells whether an earlier comparison of the same said yes; only those are kept.
func (c comparison) known() bool {
	path, err := c.path()
	if err != nil {
		return false
	}
	data, err := os.ReadFile(path)
	var old comparison
	if err != nil || json.Unmarshal(data, &old) != nil {
		return false
	}
	return old.Engine == c.Engine && old.Build == c.Build && old.Machine == c.Machine && old.Model == c.Model && old.Weights == c.Weights
}

// keep notes the verdict. Where it cannot, the next start compares again.
func (c comparison) keep() {
	path, err := c.path()
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	if data, err := schema.Marshal("graft-comparison-1", c, "  "); err == nil {
		_ = atomicfile.WriteFile(path, data)
	}
}

// build tells programs apart by their file.
func build() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05.999999999Z"))
}

// machine is its name, and its processor where Linux tells.
func machine() string {
	name, _ := os.Hostname()
	words := []string{name, runtime.GOOS, runtime.GOARCH}
	data, _ := os.ReadFile("/proc/cpuinfo")
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.Join(append(words, strings.TrimSpace(value)), " ")
		}
	}
	return strings.Join(words, " ")
}
