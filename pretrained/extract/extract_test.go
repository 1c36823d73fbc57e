package extract_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// fake is a backbone without a network: two features of the pixels, which tell
// an image from every other and from its mirror image.
type fake struct {
	batches atomic.Int64
	streams int // 0 is 1
	mu      sync.Mutex
	sizes   []int
	delay   time.Duration
	fail    func(batch int) error
	slow    func(batch int) time.Duration // beyond delay
}

func (f *fake) Name() string                   { return "fake.onnx" }
func (f *fake) Hash() string                   { return strings.Repeat("0f", 32) }
func (f *fake) Source() string                 { return "random:1" }
func (f *fake) Preprocessing() preprocess.Spec { return preprocess.Spec{} }
func (f *fake) Precision() string              { return "float32" }
func (f *fake) Provider() session.Provider     { return session.CPU }
func (f *fake) Streams() int                   { return max(1, f.streams) }
func (f *fake) DefaultBatch() int              { return 8 }
func (f *fake) Parameters() (int64, error)     { return 7, nil }
func (f *fake) RuntimeVersion() string         { return "0.0.0" }
func (f *fake) Shape(tap string) []int         { return map[string][]int{"tokens_1": {4, 3}}[tap] }
func (f *fake) Tensor(tap string) string       { return map[string]string{"tokens_1": "inner"}[tap] }
func (f *fake) Dim(tap string) int {
	return map[string]int{"cls": 2, "mean": 3, "tokens_1": 12}[tap]
}
func (f *fake) Prepare(im preprocess.Image) preprocess.Image { return im }

func (f *fake) Taps() []string { return []string{"cls", "mean", "tokens_1"} }

func (f *fake) Run(ctx context.Context, batch []preprocess.Image, taps []string, out [][]float32) error {
	n := f.batches.Add(1)
	f.mu.Lock()
	f.sizes = append(f.sizes, len(batch))
	f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(int(n)); err != nil {
			return err
		}
	}
	for t, tap := range taps {
		for i, im := range batch {
			copy(out[t][i*f.Dim(tap):(i+1)*f.Dim(tap)], features(im, f.Dim(tap)))
		}
	}
	delay := f.delay
	if f.slow != nil {
		delay += f.slow(int(n))
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// features weighs every pixel by its place.
func features(im preprocess.Image, dim int) []float32 {
	out := make([]float32, dim)
	for d := range out {
		for i, p := range im.Pix {
			out[d] += float32(p) * float32((i*(d+3))%17) / 1000
		}
	}
	return out
}

// faces writes n random FER2013 rows: two of three train, the others public test.
func faces(t testing.TB, n int) *dataset.Dataset {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fer2013.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	rng := rand.New(rand.NewPCG(3, 4))
	fmt.Fprint(w, "emotion,pixels,Usage\n")
	for i := range n {
		pixels := make([]string, 48*48)
		for p := range pixels {
			pixels[p] = fmt.Sprint(rng.IntN(256))
		}
		usage := "Training"
		if i%3 == 2 {
			usage = "PublicTest"
		}
		fmt.Fprintf(w, "%d,%s,%s\n", rng.IntN(7), strings.Join(pixels, " "), usage)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return openData(t, path)
}

func openData(t testing.TB, path string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func Example() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	for i, name := range []string{"train/dark/a.png", "train/light/b.png"} {
		path := filepath.Join(dir, "pictures", name)
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		im := image.NewGray(image.Rect(0, 0, 4, 4))
		for p := range im.Pix {
			im.Pix[p] = uint8(200*i + 10)
		}
		f, _ := os.Create(path)
		_ = png.Encode(f, im)
		f.Close()
	}
	data, err := dataset.Open(context.Background(), dataset.Ref{Path: filepath.Join(dir, "pictures")}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer data.Close()
	// A *pretrained.Backbone in earnest.
	sum, err := extract.Run(context.Background(), extract.Config{Data: data, Backbone: &fake{}, Out: filepath.Join(dir, "e")}, nil)
	fmt.Println(sum.Rows, err)
	s, _ := store.Open(filepath.Join(dir, "e"))
	m, err := s.Matrix(nil, "train")
	fmt.Println(s.Classes(), m.Labels, m.Dim, err)
	// Output:
	// 2 <nil>
	// [dark light] [0 1] 2 <nil>
}

func TestRun(t *testing.T) {
	data, b := faces(t, 20), &fake{}
	out := filepath.Join(t.TempDir(), "e")
	var last int64
	sum, err := extract.Run(context.Background(), extract.Config{
		Data: data, Backbone: b, Out: out, Taps: []string{"mean", "cls"}, Flip: true, Batch: 3, ShardRows: 7,
	}, func(done, total int64) {
		if total != 20 || done < last {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || sum.Rows != 20 || last != 20 || sum.Resumed != 0 || !(sum.ImagesPerSecond > 0) {
		t.Fatalf("summary %+v, progress to %d, %v", sum, last, err)
	}
	// Batches of each shard of 7, 7, 6, each also mirrored.
	want := []int{3, 3, 3, 3, 1, 1, 3, 3, 3, 3, 1, 1, 3, 3, 3, 3}
	if !slices.Equal(b.sizes, want) {
		t.Errorf("batches of %v, want %v", b.sizes, want)
	}
	for _, flip := range []bool{false, true} {
		checkFeatures(t, data, out, flip)
	}
}

// TestStreams: several inferences at once, however they overtake each other, give
// the store of one at a time, and one that fails ends the run.
func TestStreams(t *testing.T) {
	data := faces(t, 60)
	c := extract.Config{Data: data, Backbone: &fake{}, Out: filepath.Join(t.TempDir(), "one"), Taps: []string{"mean", "cls"}, Flip: true, Batch: 2, ShardRows: 13}
	if _, err := extract.Run(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	want := c.Out
	for _, every := range []int{1, 7, 20} { // the first inference, and every so many, waits for the others
		b := &fake{streams: 4, slow: func(batch int) time.Duration {
			if batch%every == 1%every {
				return 30 * time.Millisecond
			}
			return 0
		}}
		c.Backbone, c.Out = b, filepath.Join(t.TempDir(), "four")
		sum, err := extract.Run(context.Background(), c, nil)
		if err != nil || sum.Streams != 4 {
			t.Fatalf("%d streams, %v", sum.Streams, err)
		}
		sameFiles(t, want, c.Out)
	}
	broken := errors.New("out of memory")
	c.Out = filepath.Join(t.TempDir(), "broken")
	c.Backbone = &fake{streams: 4, delay: time.Millisecond, fail: func(batch int) error {
		if batch == 40 { // of 64, far behind the first shard
			return broken
		}
		return nil
	}}
	if _, err := extract.Run(context.Background(), c, nil); !errors.Is(err, broken) {
		t.Errorf("a failing inference: %v", err)
	}
	c.Backbone = &fake{streams: 4}
	if sum, err := extract.Run(context.Background(), c, nil); err != nil || sum.Resumed == 0 {
		t.Errorf("going on: %+v, %v", sum, err)
	}
	sameFiles(t, want, c.Out)
}

// checkFeatures recomputes what a store of taps mean and cls must hold.
func checkFeatures(t *testing.T, data *dataset.Dataset, dir string, flip bool) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Matrix([]string{"mean", "cls"}, "", flip)
	if err != nil || m.Dim != 5 {
		t.Fatalf("dim %d, %v", m.Dim, err)
	}
	for i, sample := range data.Samples {
		im, err := data.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if flip {
			im = im.Mirror()
		}
		want := append(features(im, 3), features(im, 2)...)
		if got := m.X[i*m.Dim : (i+1)*m.Dim]; !slices.Equal(got, want) || m.Labels[i] != sample.Label || m.IDs[i] != sample.ID || m.Indices[i] != i {
			t.Fatalf("flip %v, row %d: %v of %s (%d), want %v of %s (%d)", flip, i, got, m.IDs[i], m.Labels[i], want, sample.ID, sample.Label)
		}
	}
}

// TestAutoBatch: a new store gets the batch that is fastest, and a later run keeps
// to it whatever it would measure.
func TestAutoBatch(t *testing.T) {
	b := &fake{delay: 5 * time.Millisecond}
	c := extract.Config{Data: faces(t, 20), Backbone: b, Out: filepath.Join(t.TempDir(), "e"), AutoBatch: true, ShardRows: 10, Flip: true}
	sum, err := extract.Run(context.Background(), c, nil)
	if err != nil || sum.Batch != 8 || len(sum.BatchRates) != 4 {
		t.Fatalf("batch %d of %v, %v; want 8, the most of 10 rows", sum.Batch, sum.BatchRates, err)
	}
	checkRows(t, c.Out, 20, 8)
	if err := os.RemoveAll(filepath.Join(c.Out, "cls")); err != nil {
		t.Fatal(err)
	}
	b.sizes = nil
	if sum, err = extract.Run(context.Background(), c, nil); err != nil || sum.Batch != 8 || sum.BatchRates != nil || sum.Redone != 20 {
		t.Errorf("going on: %+v, %v", sum, err)
	}
	if want := []int{8, 8, 2, 2, 8, 8, 2, 2}; !slices.Equal(b.sizes, want) {
		t.Errorf("batches of %v, want %v and no measurement", b.sizes, want)
	}
}

func checkRows(t *testing.T, dir string, rows, batch int) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Rows()) != rows || s.Manifest().Batch != batch {
		t.Errorf("%d rows in batches of %d, want %d of %d", len(s.Rows()), s.Manifest().Batch, rows, batch)
	}
}

func TestSplitsAndLimit(t *testing.T) {
	data := faces(t, 20)
	out := filepath.Join(t.TempDir(), "e")
	c := extract.Config{Data: data, Backbone: &fake{}, Out: out, Splits: []string{"public-test"}, Limit: 4, DType: "float16"}
	sum, err := extract.Run(context.Background(), c, nil)
	if err != nil || sum.Rows != 4 {
		t.Fatalf("%+v, %v", sum, err)
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	m := s.Manifest()
	if !slices.Equal(m.Dataset.Splits, []string{"public-test"}) || m.Dataset.Limit != 4 || m.DType != store.Float16 || m.ShardRows != extract.DefaultShardRows {
		t.Errorf("manifest %+v", m)
	}
	if m.Dataset.From == nil || *m.Dataset.From != data.Ref() || m.Dataset.From.Path == "" {
		t.Errorf("the images lay at %+v, the store says %+v", data.Ref(), m.Dataset.From)
	}
	for _, r := range s.Rows() {
		if r.Split != "public-test" || data.Samples[r.Index].ID != r.ID {
			t.Errorf("row %+v", r)
		}
	}
	c.Limit = 5
	_, err = extract.Run(context.Background(), c, nil)
	var diff *store.MismatchError
	if !errors.As(err, &diff) || !strings.Contains(err.Error(), "limit: the store has 4, this run wants 5") {
		t.Errorf("another limit: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	data := faces(t, 3)
	for name, c := range map[string]extract.Config{
		"no data":     {Backbone: &fake{}, Out: "x"},
		"no backbone": {Data: data, Out: "x"},
		"no folder":   {Data: data, Backbone: &fake{}},
		"batch":       {Data: data, Backbone: &fake{}, Out: "x", Batch: -1},
		"shard":       {Data: data, Backbone: &fake{}, Out: "x", ShardRows: -1},
		"dtype":       {Data: data, Backbone: &fake{}, Out: "x", DType: "int8"},
		"split":       {Data: data, Backbone: &fake{}, Out: "x", Splits: []string{"nowhere"}},
	} {
		if _, err := extract.Run(context.Background(), c, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a refused run left a folder")
		os.RemoveAll("x")
	}
}

// Equal images share a group, whatever their split and name.
func TestStoreKnowsCopies(t *testing.T) {
	dir := pictures(t, 4)
	data, err := os.ReadFile(filepath.Join(dir, "train", "cat", "000.png"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "test", "dog", "copy.png")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "e")
	c := extract.Config{Data: openData(t, dir), Backbone: &fake{}, Out: out}
	if _, err := extract.Run(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	rows := s.Rows()
	if last := rows[len(rows)-1]; last.Split != "test" || last.Group != rows[0].Group || !last.Content.Known() {
		t.Errorf("the copy is in group %d, the original in %d", last.Group, rows[0].Group)
	}
}
