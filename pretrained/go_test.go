package pretrained

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// goSession opens a file on provider go.
func goSession(path string, o session.Options) (session.Session, error) {
	o.Provider = session.Go
	return openPath(path, o)
}

// plainly opens a file in ONNX Runtime without its rewriting of graphs, which in int8 saturates on some processors.
func plainly(path string, o session.Options) (session.Session, error) {
	o.Trial = true
	return orttest.Open(path, o)
}

// TestGoGivesTheSame: provider go's features of every family are ONNX Runtime's. Where numbers are rounded to few steps,
// the last bits of a sum may decide for the next step.
func TestGoGivesTheSame(t *testing.T) {
	orttest.Require(t)
	for _, tc := range tuned {
		c := vittest.Config
		tc.change(&c)
		path, most := vittest.Write(t, t.TempDir(), c, 3), 1e-5
		if tc.kind != precision.Float32 {
			most = 1e-3
			if _, err := precision.ConvertFile(path, path, tc.kind); err != nil {
				t.Fatal(err)
			}
		}
		want := runWith(t, path, "", plainly)
		for _, outs := range append(strings.Fields(tc.outs), "") {
			for name, got := range runWith(t, path, outs, goSession) {
				if d := distance(got, want[name]); !(d <= most) {
					t.Errorf("%s, outputs %q: %s is %.2g from ONNX Runtime's", tc.name, outs, name, d)
				}
			}
		}
	}
}

// TestGoWidensHalf: files in float16 run too, in float32.
func TestGoWidensHalf(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	want := runWith(t, path, "", plainly)
	if _, err := precision.ConvertFile(path, path, precision.Float16); err != nil {
		t.Fatal(err)
	}
	for name, got := range runWith(t, path, "", goSession) {
		if d := distance(got, want[name]); !(d <= 2e-3) {
			t.Errorf("%s is %.2g from the float32 file's", name, d)
		}
	}
}

// TestGoOnRealWeights: so are a trained network's.
func TestGoOnRealWeights(t *testing.T) {
	orttest.Require(t)
	weights := os.Getenv("GRAFT_VIT_TINY")
	if weights == "" {
		t.Skip("SKIPPED: GRAFT_VIT_TINY names no file: features of the real ViT-Tiny/16 are not compared")
	}
	path := filepath.Join(t.TempDir(), "real.onnx")
	if _, err := vit.Convert(t.Context(), vit.ConvertOptions{Weights: weights, Out: path, Version: "test"}, nil); err != nil {
		t.Fatal(err)
	}
	want := runWith(t, path, "", openPath)
	for name, got := range runWith(t, path, "", goSession) {
		if d := distance(got, want[name]); !(d <= 1e-5) {
			t.Errorf("%s is %.2g from ONNX Runtime's", name, d)
		}
	}
}

// TestAutoTakesTheFirstThatRuns: where ONNX Runtime does not run a model, auto is go, and says so; what is named is not
// replaced.
func TestAutoTakesTheFirstThatRuns(t *testing.T) {
	path := vittest.WriteTiny(t, t.TempDir())
	missing := errors.New("no library here")
	var notes []string
	open := func(p session.Provider, runs ...session.Provider) (session.Session, []error, error) {
		o := session.Options{Provider: p, Note: func(s string) { notes = append(notes, s) }}
		return choose(o, func(o session.Options) (session.Session, error) {
			if !slices.Contains(runs, o.Provider) {
				return nil, fmt.Errorf("%s: %w", o.Provider, missing)
			}
			return goSession(path, session.Options{})
		})
	}
	s, passed, err := open("", session.Go)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(passed) != 3 || len(notes) == 0 || !strings.Contains(notes[0], "cpu: no library here") || !strings.Contains(notes[0], "auto is go") {
		t.Errorf("passed over %v, said %q", passed, notes)
	}
	notes = nil
	if s, passed, err := open(session.Auto, session.CPU, session.Go); err != nil || len(passed) != 2 || notes != nil {
		t.Errorf("with a runtime: %v, passed over %v, said %q", err, passed, notes)
	} else {
		s.Close()
	}
	if _, _, err := open(session.CPU, session.Go); !errors.Is(err, missing) {
		t.Errorf("provider cpu: %v, want what is missing", err)
	}
	if _, _, err := open(session.Auto); err == nil || !strings.Contains(err.Error(), "cpu: ") || !strings.Contains(err.Error(), "go: ") || strings.Contains(err.Error(), "cuda") {
		t.Errorf("none: %v", err)
	}
}

// TestGoRefuses: an operator that is not known is told when a session is opened.
func TestGoRefuses(t *testing.T) {
	m := &onnx.Model{Opset: 18}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Name: "H"}, onnx.Dim{Name: "W"})
	b.Output("y", b.Op("Det", "odd", []string{x}), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	var unknown *raise.UnknownError
	if _, err := goSession(path, session.Options{}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `Det "odd"`) {
		t.Errorf("got %v", err)
	}
}
