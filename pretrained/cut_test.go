package pretrained

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/taps"
	"graft/pretrained/vit/vittest"
)

// features opens a file for taps and runs images through it.
func features(t *testing.T, path string, o Options, batch []preprocess.Image) (*Backbone, map[string][]float32) {
	t.Helper()
	b, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	out := outputs(b, len(batch), b.Taps())
	if err := b.Run(t.Context(), batch, b.Taps(), out); err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	for i, tap := range b.Taps() {
		all[tap] = out[i]
	}
	return b, all
}

// meanOf averages rows from to end-1 of each of n images, x [n,T,D].
func meanOf(x []float32, n, tokens, dim, from, end int) []float32 {
	out := make([]float32, n*dim)
	for i := range n {
		for k := from; k < end; k++ {
			for d := range dim {
				out[i*dim+d] += x[(i*tokens+k)*dim+d] / float32(end-from)
			}
		}
	}
	return out
}

// TestTokensOfEveryFamily: what the network itself makes of the tokens after a block,
// cls_k and mean_k, is made of tokens_k, in either precision and with and without ONNX Runtime.
func TestTokensOfEveryFamily(t *testing.T) {
	orttest.Require(t)
	rng := rand.New(rand.NewPCG(2, 3))
	batch := []preprocess.Image{randomImage(rng, 1, 32, 32), randomImage(rng, 1, 32, 32), randomImage(rng, 3, 32, 32)}
	for _, tc := range tuned {
		c := vittest.Config
		tc.change(&c)
		path := vittest.Write(t, t.TempDir(), c, 3)
		if tc.kind != precision.Float32 {
			if _, err := precision.ConvertFile(path, path, tc.kind); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []session.Provider{session.CPU, session.Go} {
			o := Options{Runtime: session.Options{Provider: p}}
			_, want := features(t, path, o, batch)
			// Beside others, and alone, where nothing behind the cut is run.
			for _, words := range []string{"all,tokens_1,tokens_2", "tokens_2,tokens_1"} {
				o.Taps = []string{words}
				b, got := features(t, path, o, batch)
				for k := 1; k <= 2; k++ {
					shape := b.Shape(taps.Tokens(k))
					if len(shape) != 2 || shape[1] != 32 || b.Dim(taps.Tokens(k)) != shape[0]*32 || b.Shape("cls_1") != nil {
						t.Fatalf("%s on %s: shape %v, %d values", tc.name, p, shape, b.Dim(taps.Tokens(k)))
					}
					x, n, prefix := got[taps.Tokens(k)], len(batch), shape[0]-16
					if d := distance(meanOf(x, n, shape[0], 32, prefix, shape[0]), want[fmt.Sprint("mean_", k)]); !(d <= 1e-4) {
						t.Errorf("%s on %s, %s: the mean of tokens_%d is %.2g from mean_%d", tc.name, p, words, k, d, k)
					}
					if cls, ok := want[fmt.Sprint("cls_", k)]; ok {
						if d := distance(meanOf(x, n, shape[0], 32, 0, 1), cls); !(d <= 1e-4) {
							t.Errorf("%s on %s, %s: the first of tokens_%d is %.2g from cls_%d", tc.name, p, words, k, d, k)
						}
					}
				}
			}
		}
	}
}

// TestCutsAreNamed: no word but its own means a cut.
func TestCutsAreNamed(t *testing.T) {
	b := openTiny(t, Options{Taps: []string{"all,tokens_0, tensor:blocks.0.fc1,tokens_0"}})
	want := []string{"cls", "mean", "cls_1", "mean_1", "cls_2", "mean_2", "tokens_0", taps.Tensor("blocks.0.fc1")}
	if !slices.Equal(b.Taps(), want) {
		t.Errorf("taps %v, want %v", b.Taps(), want)
	}
	if s := b.Shape(want[7]); !slices.Equal(s, []int{17, 64}) || b.Tensor(want[7]) != "blocks.0.fc1" || b.Tensor("tokens_0") != "embeddings" || b.Tensor("cls") != "cls" {
		t.Errorf("%v of %q, %q, %q", s, b.Tensor(want[7]), b.Tensor("tokens_0"), b.Tensor("cls"))
	}
	path := vittest.WriteTiny(t, t.TempDir())
	for word, part := range map[string]string{
		"tokens_3": "no block 3", "tensor:nothing": `computes a tensor "nothing"`, "tensor:pixels": `"pixels"`, taps.Tensor("blocks.0.fc1"): "tensor:NAME", "tensor:pixels_float_": "pixels_float_",
	} {
		if _, err := Open(t.Context(), path, Options{Taps: []string{word}}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// TestForeignCut cuts a foreign network of any and of a fixed batch size before an
// operator that no runtime knows, at maps and at tokens.
func TestForeignCut(t *testing.T) {
	orttest.Require(t)
	for _, size := range []int64{0, 3} {
		path, w := writeForeign(t, size)
		rng := rand.New(rand.NewPCG(1, 8))
		batch := []preprocess.Image{randomImage(rng, 3, 8, 8), randomImage(rng, 1, 8, 8), randomImage(rng, 3, 8, 8), randomImage(rng, 3, 8, 8)}
		f := half
		f.Pool = PoolMean
		_, both := features(t, path, Options{Foreign: &f, Taps: []string{"features,tensor:tokens"}}, batch)
		odd := writeOdd(t, path)
		f.Pool = ""
		conv := taps.Tensor("conv")
		b, alone := features(t, odd, Options{Foreign: &f, Taps: []string{"tensor:conv"}}, batch)
		if !slices.Equal(b.Taps(), []string{conv}) || !slices.Equal(b.Shape(conv), []int{5, 2, 2}) || b.Tensor(conv) != "conv" {
			t.Errorf("taps %v, shape %v", b.Taps(), b.Shape(conv))
		}
		for i, im := range batch {
			for d, want := range meanPatch(im, w) {
				var tokens, maps float64
				for k := range 4 {
					tokens += float64(both[taps.Tensor("tokens")][i*20+k*5+d]) / 4
					maps += float64(alone[conv][i*20+d*4+k]) / 4
				}
				for name, got := range map[string]float64{"features": float64(both[FeaturesTap][5*i+d]), "tokens": tokens, "maps": maps} {
					if !(got-want <= 1e-4 && want-got <= 1e-4) {
						t.Errorf("batch %d, image %d, value %d: %s give %v, want %v", size, i, d, name, got, want)
					}
				}
			}
		}
		f.Pool = PoolMean
		if _, err := Open(t.Context(), odd, Options{Foreign: &f, Taps: []string{"tensor:conv"}}); err == nil || !strings.Contains(err.Error(), "--pool") {
			t.Errorf("pooling of nothing: %v", err)
		}
	}
}

// writeOdd copies a model and adds an operator of nobody's between its tokens and its output.
func writeOdd(t *testing.T, path string) string {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Domains = map[string]int64{"nobody": 1}
	m.Nodes = append(m.Nodes, onnx.Node{Op: "Odd", Domain: "nobody", Name: "odd", Inputs: []string{"tokens"}, Outputs: []string{"odd"}})
	m.Outputs[0].Name = "odd"
	path = strings.TrimSuffix(path, ".onnx") + "_odd.onnx"
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestForeignTokens: which tensor is after a block of a foreign transformer is told from its structure.
func TestForeignTokens(t *testing.T) {
	orttest.Require(t)
	path := vittest.WriteTiny(t, t.TempDir())
	rng := rand.New(rand.NewPCG(4, 4))
	batch := []preprocess.Image{randomImage(rng, 3, 32, 32), randomImage(rng, 3, 32, 32)}
	own, want := features(t, path, Options{Taps: []string{"tokens_0,tokens_2"}}, batch)
	b, got := features(t, asForeign(t, path), Options{Foreign: &preprocess.Spec{Size: 32, Normalization: own.Preprocessing().Normalization}, Taps: []string{"tokens_0,tokens_2"}}, batch)
	if b.Tensor("tokens_2") != "blocks.1.residual" || !slices.Equal(b.Shape("tokens_0"), []int{17, 32}) {
		t.Errorf("tensor %q, shape %v", b.Tensor("tokens_2"), b.Shape("tokens_0"))
	}
	for tap, x := range want {
		if d := distance(got[tap], x); !(d <= 1e-5) {
			t.Errorf("%s is %.2g from that of graft's own file", tap, d)
		}
	}
}

// asForeign copies graft's own file to one that begins with normalised pixels and says nothing of itself.
func asForeign(t *testing.T, path string) string {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Metadata = nil
	m.Inputs = []onnx.Value{{Name: "normalized", Type: onnx.Float32, Dims: dims(0, 3, 32, 32)}}
	m.Nodes = slices.DeleteFunc(m.Nodes, func(n onnx.Node) bool {
		return slices.Contains([]string{"pixels_float", "resized", "scaled", "normalized"}, n.Outputs[0])
	})
	m.Prune()
	path = strings.TrimSuffix(path, ".onnx") + "_foreign.onnx"
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}
