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
	Rows, Dim, Classes int
	C                  float64
}

// TestTimeAgainstSklearn is graft's half of scripts/bench_head_sklearn.py, which
// sets GRAFT_HEAD_BENCH, reads result.json and computes the loss of its weights.
func TestTimeAgainstSklearn(t *testing.T) {
	folder := os.Getenv("GRAFT_HEAD_BENCH")
	if folder == "" {
		t.Skip("a benchmark: run scripts/bench_head_sklearn.py")
	}
	meta, x, y := readBench(t, folder)
	o := LBFGSOptions{Lambda: LambdaFromC(meta.C, meta.Rows)}
	l, trace, err := FitLBFGS(context.Background(), x, meta.Rows, meta.Dim, y, meta.Classes, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(map[string]any{"seconds": trace.Last().Seconds, "weights": l.W, "bias": l.B})
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
