package head

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// benchMeta describes the files that scripts/bench_head_sklearn.py leaves.
type benchMeta struct {
	Rows, Dim, Classes, Runs int
	C                        float64
}

// TestTimeAgainstSklearn is graft's half of scripts/bench_head_sklearn.py, which
// sets GRAFT_HEAD_BENCH and reads result.json.
func TestTimeAgainstSklearn(t *testing.T) {
	folder := os.Getenv("GRAFT_HEAD_BENCH")
	if folder == "" {
		t.Skip("a benchmark: run scripts/bench_head_sklearn.py")
	}
	meta, x, y := readBench(t, folder)
	best := map[string]float64{"seconds": math.Inf(1)}
	for range meta.Runs {
		o := LBFGSOptions{Lambda: LambdaFromC(meta.C, meta.Rows)}
		l, trace, err := FitLBFGS(context.Background(), x, meta.Rows, meta.Dim, y, meta.Classes, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range trace.Steps {
			t.Logf("%+v", s)
		}
		if trace.Last().Seconds < best["seconds"] {
			best = map[string]float64{
				"seconds": trace.Last().Seconds, "iterations": float64(trace.Last().Iteration), "evaluations": float64(trace.Evaluations),
				"loss": trace.Last().Loss, "accuracy": float64(hits(l.Logits(x, meta.Rows, 0), y, meta.Classes)) / float64(meta.Rows),
			}
		}
	}
	out, err := json.Marshal(best)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "result.json"), out, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readBench(t *testing.T, folder string) (meta benchMeta, x []float32, y []int) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := json.Unmarshal(read("meta.json"), &meta); err != nil {
		t.Fatal(err)
	}
	raw := read("x.f32")
	x = make([]float32, len(raw)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	for _, k := range read("y.u8") {
		y = append(y, int(k))
	}
	return meta, x, y
}
