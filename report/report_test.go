package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"graft/finetune/audit"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/parquetfile"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

var synthetic = dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}

// trained is a folder with the runs cnn-1 and cnn-2, made once.
var trained = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		panic(err)
	}
	for seed := range uint64(2) {
		c, err := train.NewNetConfig(nets.KindCNN, run.RecipeStudy)
		if err == nil {
			c.Data, c.Out = synthetic, filepath.Join(dir, fmt.Sprintf("cnn-%d", seed+1))
			c.Fit.Seed, c.Fit.Epochs, c.Fit.Threads = seed+1, 2, 1
			_, err = train.Net(context.Background(), c, train.Observer{})
		}
		if err != nil {
			panic(err)
		}
	}
	return dir
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(trained())
	os.Exit(code)
}

func made(t *testing.T, c Config) *Report {
	t.Helper()
	r, err := Make(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantError(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one with %q", err, words)
	}
}

// storeOf writes a store of rows of made-up features, tap cls, three splits.
func storeOf(t *testing.T, dir string, rows int) string {
	t.Helper()
	out, rng := filepath.Join(dir, "embeddings"), rand.New(rand.NewPCG(1, 2))
	w, err := store.OpenWriter(t.Context(), out, store.Manifest{
		Backbone: store.Backbone{Name: "tiny.onnx", SHA256: strings.Repeat("ab", 32), Preprocessing: preprocess.Spec{Size: 32}, Precision: "fp32", Provider: "cpu"},
		Dataset:  store.Dataset{Name: "made-up", Fingerprint: "sha256:" + strings.Repeat("cd", 32), Classes: []string{"angry", "happy"}, Splits: dataset.FERSplits},
		Taps:     []store.Tap{{Name: "cls", Dim: 5}}, DType: store.Float32, ShardRows: rows, Samples: rows,
	}, store.WriterOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var list []store.Row
	var x []float32
	for i := range rows {
		r := store.Row{Index: i, ID: fmt.Sprintf("row_%d", i), Split: dataset.FERSplits[i*3/rows], Label: i % 2, LabelName: []string{"angry", "happy"}[i%2]}
		r.Content.Key[0], r.Content.Key[1] = byte(i), byte(i>>8)
		list = append(list, r)
		for range 5 {
			x = append(x, float32(rng.NormFloat64()))
		}
	}
	sw, err := w.Shard(0, rows)
	if err == nil {
		err = errors.Join(sw.Append(list, [][]float32{x}), sw.Commit())
	}
	if err == nil {
		_, err = w.Finish(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestCellsHoldTheFacesOfTheirPair follows the numbers of the matrix to the images: as
// many as were predicted so, each of them a row of that pair, and in its window of the
// sheet the image that the dataset has at that place.
func TestCellsHoldTheFacesOfTheirPair(t *testing.T) {
	dir := filepath.Join(trained(), "cnn-1")
	r := made(t, Config{Runs: []string{dir}})
	if len(r.Runs) != 1 || len(r.Runs[0].Splits) != 2 || len(r.Notes) != 0 {
		t.Fatalf("%d runs, notes %q", len(r.Runs), r.Notes)
	}
	d, err := dataset.Open(t.Context(), synthetic, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sheet, err := jpeg.Decode(bytes.NewReader(r.faces.large.picture))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, s := range r.Runs[0].Splits {
		p, err := run.ReadPredictions(dir, s.Split, s.Matrix.Classes)
		if err != nil {
			t.Fatal(err)
		}
		pairs := map[string]string{}
		for i, id := range p.IDs {
			pairs[id] = s.Matrix.Classes[p.Labels[i]] + " " + s.Matrix.Classes[p.Predicted[i]]
		}
		total := 0
		for _, row := range s.Matrix.Rows {
			for _, c := range row {
				total += c.Count
				if len(c.Faces) != min(c.Count, cellFaces) {
					t.Errorf("%s taken for %s: %d faces of %d", c.True, c.Predicted, len(c.Faces), c.Count)
				}
				for _, f := range c.Faces {
					if pairs[f.ID] != c.True+" "+c.Predicted || d.Samples[f.Index].ID != f.ID {
						t.Errorf("%s is %s, and stands in %s %s", f.ID, pairs[f.ID], c.True, c.Predicted)
					}
					im, err := d.Image(t.Context(), f.Index)
					if err != nil {
						t.Fatal(err)
					}
					if off := difference(sheet, f.Place, im); !(off < 6) {
						t.Errorf("%s at %v of the sheet: differs by %.1f of 255 in the mean", f.ID, f.Place, off)
					}
					shown++
				}
			}
		}
		if total != len(p.IDs) {
			t.Errorf("%s: %d in the matrix, %d predicted", s.Split, total, len(p.IDs))
		}
		for i, f := range s.Mistakes {
			if pair := strings.Fields(pairs[f.ID]); pair[0] == pair[1] {
				t.Errorf("mistake %d, %s, is none", i, f.ID)
			}
		}
	}
	if shown < 30 {
		t.Errorf("%d faces looked at", shown)
	}
}

// difference is the mean distance of an image from its window of a sheet.
func difference(sheet image.Image, at Place, im preprocess.Image) (sum float64) {
	want := preprocess.Square(im, faceSide, 1).Gray()
	for y := range faceSide {
		for x := range faceSide {
			r, _, _, _ := sheet.At(at.X*faceSide+x, at.Y*faceSide+y).RGBA()
			sum += math.Abs(float64(r>>8)-float64(want.Pix[y*faceSide+x])) / (faceSide * faceSide)
		}
	}
	return sum
}

// TestWorstMistakesComeFirst: the galleries are in the order of the probabilities.
func TestWorstMistakesComeFirst(t *testing.T) {
	dir := filepath.Join(trained(), "cnn-1")
	r := made(t, Config{Runs: []string{dir}})
	for _, s := range r.Runs[0].Splits {
		p, err := run.ReadProbabilities(dir, s.Split, s.Matrix.Classes)
		if err != nil {
			t.Fatal(err)
		}
		k := len(s.Matrix.Classes)
		least := func(of func(i int) int, only func(i int) bool) (best int) {
			best = -1
			for i := range p.IDs {
				if only(i) && (best < 0 || p.Probs[i*k+of(i)] < p.Probs[best*k+of(best)]) {
					best = i
				}
			}
			return best
		}
		label, predicted := func(i int) int { return p.Labels[i] }, func(i int) int { return p.Predicted[i] }
		if i := least(label, func(i int) bool { return p.Labels[i] != p.Predicted[i] }); s.Mistakes[0].ID != p.IDs[i] {
			t.Errorf("%s: the worst mistake is %s, want %s", s.Split, s.Mistakes[0].ID, p.IDs[i])
		}
		if i := least(predicted, func(int) bool { return true }); s.LeastSure[0].ID != p.IDs[i] {
			t.Errorf("%s: the least sure is %s, want %s", s.Split, s.LeastSure[0].ID, p.IDs[i])
		}
	}
}

func TestPageOfSeveralRuns(t *testing.T) {
	dir := trained()
	runs := []string{filepath.Join(dir, "cnn-1"), filepath.Join(dir, "cnn-2")}
	r := made(t, Config{Runs: runs})
	if r.Compared == nil || len(r.Compared.Curves) != 2 || len(r.Compared.Figures) != 6 {
		t.Fatalf("compared %+v", r.Compared)
	}
	// Train and validation of both, two epochs each.
	if got := r.Compared.Curves[0].Numbers.Rows; len(got) != 8 || got[0][0] != "cnn-1, train" {
		t.Errorf("curves %q", got)
	}
	if !slices.ContainsFunc(r.Compared.Tables, func(s Table) bool { return strings.HasPrefix(s.Title, "Differences on public-test") }) {
		t.Error("no tests of which is better")
	}
	page := pageOf(t, r)
	for _, want := range []string{"<h2>Comparison</h2>", `<summary><h2>cnn-2</h2>`, `href="#run1-split1-`, "McNemar", "Classes of each split", `download="numbers.csv"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for what, n := range map[string]int{">cnn-1, train</text>": 0, "ZgotmplZ": 0, "<h1>": 1, "<svg": 13} {
		if got := strings.Count(page, what); got != n {
			t.Errorf("%s: %d times, want %d", what, got, n)
		}
	}
	if faces, named := strings.Count(page, `class="face"`), strings.Count(page, `class="face" role="img" aria-label="`); faces != named || faces < 50 {
		t.Errorf("%d of %d faces have a name", named, faces)
	}
	if again := pageOf(t, made(t, Config{Runs: runs})); again != page {
		t.Error("the same runs give another page")
	}
	data, err := json.Marshal(r)
	if err != nil || bytes.Contains(data, []byte("base64")) || !bytes.Contains(data, []byte(`"accuracy"`)) {
		t.Errorf("as JSON: %v, %d bytes", err, len(data))
	}
}

// TestOtherImagesAreNotShown: what was judged on other images keeps its figures, and the
// page says why no face is there.
func TestOtherImagesAreNotShown(t *testing.T) {
	other := synthetic
	other.PerClass = 5
	r := made(t, Config{Runs: []string{filepath.Join(trained(), "cnn-1")}, Data: other})
	s := r.Runs[0].Splits[0]
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "other images") || s.Mistakes != nil || len(s.Matrix.Rows[0][0].Faces) > 0 {
		t.Errorf("notes %q, %d mistakes", r.Notes, len(s.Mistakes))
	}
	if page := pageOf(t, r); !strings.Contains(page, "Not shown") || strings.Contains(page, `class="face"`) {
		t.Error("the page does not say what is not shown")
	}
	_, err := Make(t.Context(), Config{Runs: []string{t.TempDir()}})
	wantError(t, err, "no run folder")
	_, err = Make(t.Context(), Config{})
	wantError(t, err, "nothing to report on")
}

// TestPageLeadsNowhere: whatever a page could load is found.
func TestPageLeadsNowhere(t *testing.T) {
	for _, bad := range []string{`<img src="//x/y.png">`, `<a href='http://x'>`, `<i style="background: url(x.png)">`, `<link href=style.css>`, `@import "x.css"`, `<form action="/x">`} {
		if err := selfContained([]byte(bad)); err == nil {
			t.Errorf("%s was let through", bad)
		}
	}
	if err := selfContained([]byte(`<a href="#x"><a href="data:,"><i style="background: url(data:image/png;base64,AA)">`)); err != nil {
		t.Error(err)
	}
}

// TestForeignWordsAreText: names of classes, splits and images cannot become markup.
func TestForeignWordsAreText(t *testing.T) {
	evil := `<script>alert("x")</script>`
	d := newData(evil, evil, []string{evil}, []string{evil}, map[string]map[string]int{evil: {evil: 3}}, []string{evil})
	r := &Report{Title: evil, Data: d, faces: newFaces(), Runs: []Run{{Name: evil, Notes: []string{evil}, Command: evil, Splits: []Judged{{Split: evil, Mistakes: []Face{{ID: evil, Name: evil, Caption: evil}},
		Reliability: reliability(metrics.Report{Split: evil}), Matrix: &Matrix{Classes: []string{evil}, Rows: [][]Cell{{{True: evil, Predicted: evil, Count: 1}}}}}}}}}
	if page := pageOf(t, r); strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("a name is markup")
	}
}

// TestAuditGalleries: a copied face stands beside its original, with both labels.
func TestAuditGalleries(t *testing.T) {
	dir := t.TempDir()
	d, err := dataset.Open(t.Context(), synthetic, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	lines := []string{"emotion,pixels,Usage"}
	add := func(i, label int, usage string) {
		im, err := d.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%d,%s,%s", label, strings.Trim(fmt.Sprint(im.Gray().Pix), "[]"), usage))
	}
	for i := range 20 {
		add(i, i%3, "Training")
	}
	add(4, 2, "PublicTest") // 1 in train
	add(30, 2, "PublicTest")
	path := filepath.Join(dir, "fer2013.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), dataset.Ref{Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if _, err := audit.Run(t.Context(), audit.Config{Data: set, Out: filepath.Join(dir, "audit"), Tiny: audit.DefaultTiny}); err != nil {
		t.Fatal(err)
	}
	r := made(t, Config{Audit: filepath.Join(dir, "audit")})
	at := slices.IndexFunc(r.Audit.Galleries, func(l Linked) bool { return l.Title == "In public-test and in train too" })
	if at < 0 {
		t.Fatalf("galleries %+v; notes %q", r.Audit.Galleries, r.Notes)
	}
	pair := r.Audit.Galleries[at].Sets[0]
	if pair[0].Index != 20 || pair[1].Index != 4 || !strings.Contains(pair[0].Caption, "fear") || !strings.Contains(pair[1].Caption, "disgust (equal)") {
		t.Errorf("pair %+v", pair)
	}
	if !slices.ContainsFunc(r.Audit.Galleries, func(l Linked) bool { return strings.HasPrefix(l.Title, "Labels that contradict") }) {
		t.Error("no gallery of contradicting labels")
	}
	pageOf(t, r)
}

// TestPlaneAgreesWithScikitLearn: see scripts/fixtures_plane.py.
func TestPlaneAgreesWithScikitLearn(t *testing.T) {
	var want struct {
		Dim   int
		X     []float32
		At    [][2]float64
		Share [2]float64
	}
	data, err := os.ReadFile("testdata/plane.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	p, err := newPlane(want.X, want.Dim)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range want.At {
		x, y := p.at(want.X[i*want.Dim : (i+1)*want.Dim])
		if !(math.Abs(float64(x)-at[0]) < 1e-4 && math.Abs(float64(y)-at[1]) < 1e-4) {
			t.Errorf("row %d at %g, %g, want %v", i, x, y, at)
		}
	}
	for a, share := range want.Share {
		if !(math.Abs(p.share[a]-share) < 1e-6) {
			t.Errorf("axis %d has %g of the variance, want %g", a, p.share[a], share)
		}
	}
	if _, err := newPlane(want.X[:5], 5); err == nil {
		t.Error("a map of one row")
	}
}

// TestAtlas reads the Parquet file back, and its neighbours against all distances.
func TestAtlas(t *testing.T) {
	dir := t.TempDir()
	embeddings, atlas := storeOf(t, dir, 360), filepath.Join(dir, "atlas.parquet")
	r := made(t, Config{Embeddings: embeddings, Atlas: atlas})
	if len(r.Map.Points) != 360 || r.Map.Tap != "cls" || len(r.Notes) != 1 {
		t.Fatalf("%d points of %s; notes %q", len(r.Map.Points), r.Map.Tap, r.Notes)
	}
	data, err := os.ReadFile(atlas)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parquetfile.Read[atlasRow](data, 360)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(embeddings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Matrix([]string{"cls"}, "")
	if err != nil {
		t.Fatal(err)
	}
	cosine := func(i, j int) float64 {
		var ab, aa, bb float64
		for n := range m.Dim {
			a, b := float64(m.X[i*m.Dim+n]), float64(m.X[j*m.Dim+n])
			ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
		}
		return ab / math.Sqrt(aa*bb)
	}
	for i, row := range rows[:40] {
		if row.ID != m.IDs[i] || len(row.Neighbors.IDs) != atlasNeighbours {
			t.Fatalf("row %d is %s with %d neighbours", i, row.ID, len(row.Neighbors.IDs))
		}
		best := math.Inf(-1)
		for j := range rows {
			if j != i {
				best = max(best, cosine(i, j))
			}
		}
		if got := float64(row.Neighbors.Distances[0]); !(math.Abs(got-(1-best)) < 1e-5) || row.Neighbors.IDs[0] == int64(i) {
			t.Errorf("row %d: nearest is %d at %g, want %g", i, row.Neighbors.IDs[0], got, 1-best)
		}
	}
	page := pageOf(t, r)
	if got := strings.Count(page, "<circle"); got != 360 {
		t.Errorf("%d points drawn, want 360", got)
	}
}
