package ort_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// build writes a model that a function fills.
func build(t testing.TB, fill func(b *onnx.Builder)) []byte {
	t.Helper()
	m := &onnx.Model{Name: "test", Opset: 17}
	fill(onnx.NewBuilder(m))
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := m.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func dim(name string) onnx.Dim { return onnx.Dim{Name: name} }
func size(n int64) onnx.Dim    { return onnx.Dim{Value: n} }

// twoOutputs has uint8 pixels [N,3] in, float32 and float16 doubles out.
func twoOutputs(t testing.TB) []byte {
	return build(t, func(b *onnx.Builder) {
		x := b.Input("pixels", onnx.Uint8, dim("N"), size(3))
		f := b.Op("Cast", "f", []string{x}, onnx.Attr{Name: "to", Value: int64(onnx.Float32)})
		d := b.Op("Mul", "d", []string{f, b.Float32s("two", []float32{2})})
		h := b.Op("Cast", "h", []string{d}, onnx.Attr{Name: "to", Value: int64(onnx.Float16)})
		b.Output("double", d, onnx.Float32, dim("N"), size(3))
		b.Output("half", h, onnx.Float16, dim("N"), size(3))
	})
}

func openTest(t testing.TB, data []byte, o session.Options) session.Session {
	t.Helper()
	orttest.Require(t)
	s, err := openBytes(t, data, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openBytes(t testing.TB, data []byte, o session.Options) (session.Session, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return orttest.Open(path, o)
}

func TestRunFillsTheCallersSlices(t *testing.T) {
	s := openTest(t, twoOutputs(t), session.Options{Provider: session.CPU, Threads: 1})
	for _, n := range []int64{1, 2, 5} {
		in := make([]uint8, 3*n)
		for i := range in {
			in[i] = uint8(7*i + 1)
		}
		double, half := make([]float32, 3*n), make([]uint16, 3*n)
		err := s.Run(context.Background(), []session.Tensor{{Name: "pixels", Shape: []int64{n, 3}, Data: in}},
			[]session.Tensor{{Name: "half", Shape: []int64{n, 3}, Data: half}, {Name: "double", Shape: []int64{n, 3}, Data: double}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range in {
			if want := 2 * float32(in[i]); double[i] != want {
				t.Fatalf("n=%d double[%d] = %v, want %v", n, i, double[i], want)
			}
		}
		if half[0] != 0x4000 { // 2.0 in float16
			t.Errorf("n=%d half[0] = %#x, want %#x", n, half[0], 0x4000)
		}
	}
}

func TestOutputsOnlySome(t *testing.T) {
	s := openTest(t, twoOutputs(t), session.Options{Provider: session.CPU, Outputs: []string{"double"}})
	out := make([]float32, 3)
	err := s.Run(context.Background(), []session.Tensor{{Name: "pixels", Shape: []int64{1, 3}, Data: []uint8{1, 2, 3}}}, []session.Tensor{{Name: "double", Shape: []int64{1, 3}, Data: out}})
	if err != nil || out[2] != 6 {
		t.Errorf("got %v, %v; want [2 4 6]", out, err)
	}
	if len(s.Outputs()) != 2 {
		t.Errorf("Outputs() = %v, want the model's two", s.Outputs())
	}
}

// An output that is not asked for is computed and thrown away.
func TestRunThrowsAwayOutputs(t *testing.T) {
	data := build(t, func(b *onnx.Builder) {
		x := b.Input("x", onnx.Float32, dim("N"))
		b.Output("a", b.Op("Neg", "a", []string{x}), onnx.Float32, dim("N"))
		b.Output("b", b.Op("Abs", "b", []string{x}), onnx.Float32, dim("N"))
	})
	s := openTest(t, data, session.Options{Provider: session.CPU})
	for range 3 {
		out := make([]float32, 2)
		err := s.Run(context.Background(), []session.Tensor{{Name: "x", Shape: []int64{2}, Data: []float32{-1, 3}}}, []session.Tensor{{Name: "b", Shape: []int64{2}, Data: out}})
		if err != nil || out[0] != 1 || out[1] != 3 {
			t.Fatalf("got %v, %v; want [1 3]", out, err)
		}
	}
}

func TestSessionDescribesTheModel(t *testing.T) {
	s := openTest(t, twoOutputs(t), session.Options{})
	if got := s.Inputs(); len(got) != 1 || got[0].String() != "pixels uint8 [N,3]" {
		t.Errorf("inputs %v", got)
	}
	if got := s.Outputs(); len(got) != 2 || got[1].String() != "half float16 [N,3]" {
		t.Errorf("outputs %v", got)
	}
}

func TestRunRefuses(t *testing.T) {
	s := openTest(t, twoOutputs(t), session.Options{Provider: session.CPU})
	pixels := session.Tensor{Name: "pixels", Shape: []int64{1, 3}, Data: []uint8{1, 2, 3}}
	double := session.Tensor{Name: "double", Shape: []int64{1, 3}, Data: make([]float32, 3)}
	half := session.Tensor{Name: "half", Shape: []int64{1, 3}, Data: make([]uint16, 3)}
	with := func(v session.Tensor, change func(*session.Tensor)) session.Tensor { change(&v); return v }
	tests := []struct {
		name    string
		in, out []session.Tensor
		want    string
	}{
		{"missing input", nil, []session.Tensor{double, half}, `input "pixels" is missing`},
		{"unknown input", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Name = "image" })}, []session.Tensor{double, half}, `no input "image"`},
		{"input twice", []session.Tensor{pixels, pixels}, []session.Tensor{double, half}, "given twice"},
		{"wrong type", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Data = []float32{1, 2, 3} })}, []session.Tensor{double, half}, "got float32"},
		{"no slice", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Data = 3 })}, []session.Tensor{double, half}, "data is a int"},
		{"short input", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Shape = []int64{2, 3} })}, []session.Tensor{double, half}, "wants 6 elements, got 3"},
		{"wrong width", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Shape = []int64{3, 1} })}, []session.Tensor{double, half}, "got shape [3 1]"},
		{"empty batch", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Shape, v.Data = []int64{0, 3}, []uint8{} })}, []session.Tensor{double, half}, "no elements"},
		{"negative", []session.Tensor{with(pixels, func(v *session.Tensor) { v.Shape = []int64{-1, -3} })}, []session.Tensor{double, half}, "negative"},
		{"output of another size", []session.Tensor{pixels}, []session.Tensor{with(double, func(v *session.Tensor) { v.Shape, v.Data = []int64{2, 3}, make([]float32, 6) }), half}, "run on cpu"},
		{"float16 thrown away", []session.Tensor{pixels}, []session.Tensor{double}, "Options.Outputs"},
	}
	for _, tt := range tests {
		err := s.Run(context.Background(), tt.in, tt.out)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if err := s.Run(context.Background(), []session.Tensor{pixels}, []session.Tensor{double, half}); err != nil {
		t.Errorf("after the errors: %v", err)
	}
}

// slowModel multiplies a matrix with itself many times: seconds of work.
func slowModel(t testing.TB) []byte {
	return build(t, func(b *onnx.Builder) {
		x := b.Input("x", onnx.Float32, size(1024), size(1024))
		for range 400 {
			x = b.Op("Tanh", "t", []string{b.Op("MatMul", "m", []string{x, x})})
		}
		b.Output("y", x, onnx.Float32, size(1024), size(1024))
	})
}

func TestCancelStopsRun(t *testing.T) {
	s := openTest(t, slowModel(t), session.Options{Provider: session.CPU, Threads: 1})
	in := []session.Tensor{{Name: "x", Shape: []int64{1024, 1024}, Data: ramp(1 << 20)}}
	out := []session.Tensor{{Name: "y", Shape: []int64{1024, 1024}, Data: make([]float32, 1<<20)}}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.Run(ctx, in, out)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("after %v: got %v, want deadline exceeded", time.Since(start), err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Run went on for %v after it was cancelled", took)
	}
	if err := s.Run(ctx, in, out); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a dead context: got %v", err)
	}
}

// A session that was cancelled runs again.
func TestRunAfterCancel(t *testing.T) {
	s := openTest(t, twoOutputs(t), session.Options{Provider: session.CPU, Outputs: []string{"double"}})
	in := []session.Tensor{{Name: "pixels", Shape: []int64{1, 3}, Data: []uint8{1, 2, 3}}}
	out := []session.Tensor{{Name: "double", Shape: []int64{1, 3}, Data: make([]float32, 3)}}
	for i := range 200 {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		if err := s.Run(ctx, in, out); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("round %d: %v", i, err)
		}
		if err := s.Run(context.Background(), in, out); err != nil {
			t.Fatalf("round %d, after the cancelled run: %v", i, err)
		}
		cancel()
	}
}

func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i%17)/17 - 0.4
	}
	return v
}

func TestOpenRefuses(t *testing.T) {
	orttest.Require(t)
	good := twoOutputs(t)
	tests := []struct {
		name string
		data []byte
		o    session.Options
		want string
	}{
		{"nothing", nil, session.Options{}, "not an ONNX model"},
		{"no model", []byte("GIF89a.........."), session.Options{}, "not an ONNX model"},
		{"truncated", good[:len(good)-9], session.Options{}, "truncated"},
		{"unknown provider", good, session.Options{Provider: "gpu"}, `unknown provider "gpu"`},
		{"unknown output", good, session.Options{Outputs: []string{"logits"}}, `no output "logits"`},
		{"threads", good, session.Options{Threads: -1}, "threads"},
		{"device", good, session.Options{Device: -1}, "device"},
		{"options for cpu", good, session.Options{Provider: session.CPU, ProviderOptions: map[string]string{"a": "b"}}, "provider options"},
	}
	for _, tt := range tests {
		s, err := openBytes(t, tt.data, tt.o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestOpenFile(t *testing.T) {
	orttest.Require(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, twoOutputs(t), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(path, session.Options{Provider: session.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := orttest.Open(path+".missing", session.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// Accelerators that this machine lacks fail by name; what starts must tell the
// truth and compute the right thing.
func TestNamedProvidersRunOrFail(t *testing.T) {
	orttest.Require(t)
	data := build(t, func(b *onnx.Builder) {
		x := b.Input("x", onnx.Float32, dim("N"), size(2))
		w := b.Float32s("w", []float32{1, 2, 3, 4}, 2, 2)
		b.Output("y", b.Op("MatMul", "y", []string{x, w}), onnx.Float32, dim("N"), size(2))
	})
	for _, p := range session.Providers() {
		s, err := openBytes(t, data, session.Options{Provider: p})
		if err != nil {
			t.Logf("%s: %v", p, err)
			if p == session.CPU || !strings.Contains(err.Error(), string(p)) {
				t.Errorf("%s: the error does not name the provider: %v", p, err)
			}
			continue
		}
		out := make([]float32, 2)
		err = s.Run(context.Background(), []session.Tensor{{Name: "x", Shape: []int64{1, 2}, Data: []float32{1, 10}}}, []session.Tensor{{Name: "y", Shape: []int64{1, 2}, Data: out}})
		if err != nil || out[0] != 31 || out[1] != 42 || s.Provider() != p {
			t.Errorf("%s: ran on %s, got %v, %v; want [31 42]", p, s.Provider(), out, err)
		}
		s.Close()
	}
}

// TestThroughput: as many runs as there are threads go on at once, they do not
// disturb each other, and stopping one stops no other.
func TestThroughput(t *testing.T) {
	if s := openTest(t, twoOutputs(t), session.Options{Provider: session.CPU, Threads: 3}); s.Streams() != 1 {
		t.Errorf("%d streams without being asked", s.Streams())
	}
	s := openTest(t, slowModel(t), session.Options{Provider: session.CPU, Threads: 3, Throughput: true})
	if s.Streams() != 3 {
		t.Fatalf("%d streams on 3 threads", s.Streams())
	}
	run := func(ctx context.Context) ([]float32, error) {
		y := make([]float32, 1<<20)
		err := s.Run(ctx, []session.Tensor{{Name: "x", Shape: []int64{1024, 1024}, Data: ramp(1 << 20)}}, []session.Tensor{{Name: "y", Shape: []int64{1024, 1024}, Data: y}})
		return y, err
	}
	want, err := run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if _, err := run(stopped); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a run past its deadline: %v", err)
			}
		})
		wait.Go(func() {
			if got, err := run(context.Background()); err != nil || !slices.Equal(got, want) {
				t.Errorf("another result beside other runs (%v)", err)
			}
		})
	}
	wait.Wait()
}
