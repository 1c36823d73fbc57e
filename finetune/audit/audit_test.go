package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"graft/internal/parquetfile"
	"graft/preprocess/dataset"
	"graft/preprocess/synthetic"
)

// folder is an image folder under construction.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) write(name string, data []byte) {
	f.t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func pngOf(im image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func face(i uint64) image.Image { return synthetic.Face(3, i, int(i)%3).ToImage() }

// planted is a folder with a fault of every kind.
func planted(t *testing.T) string {
	f := folder{t, filepath.Join(t.TempDir(), "set")}
	classes := []string{"angry", "calm", "happy"}
	for i := range uint64(12) {
		f.write(fmt.Sprintf("train/%s/%02d.png", classes[i%3], i), pngOf(face(i)))
	}
	for i := range uint64(6) {
		f.write(fmt.Sprintf("test/%s/new%d.png", classes[i%3], i), pngOf(face(50+i)))
		f.write(fmt.Sprintf("val/%s/val%d.png", classes[i%3], i), pngOf(face(90+i)))
	}
	f.write("test/angry/leak.png", pngOf(face(0)))
	f.write("test/happy/leak.png", pngOf(face(1)))                                           // calm in train
	f.write("test/angry/larger.png", pngOf(imaging.Resize(face(3), 96, 96, imaging.Linear))) // near
	f.write("val/angry/leak.png", pngOf(face(50)))                                           // of test
	f.write("train/angry/again.png", pngOf(face(6)))
	f.write("train/angry/mirrored.png", pngOf(imaging.FlipH(face(9))))
	f.write("train/calm/contradicts.png", pngOf(face(2)))                         // happy
	f.write("train/calm/nearly.png", pngOf(imaging.AdjustBrightness(face(5), 5))) // happy
	f.write("train/calm/gray.png", pngOf(image.NewGray(image.Rect(0, 0, 48, 48))))
	f.write("train/calm/icon.png", pngOf(imaging.Resize(face(200), 16, 16, imaging.Linear)))
	f.write("train/calm/cut.png", pngOf(face(201))[:900])
	f.write("train/calm/text.png", []byte("no image"))
	return f.dir
}

func open(t *testing.T, path string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: path, SkipBad: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func run(t *testing.T, path string) (*Report, string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "audit")
	r, err := Run(t.Context(), Config{Data: open(t, path), Out: out, Tiny: DefaultTiny})
	if err != nil {
		t.Fatal(err)
	}
	return r, out
}

// column is some columns of a finding's CSV, one string a row.
func column(t *testing.T, out, name string, columns ...string) (rows []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		var cells []string
		for _, c := range columns {
			cells = append(cells, r[slices.Index(records[0], c)])
		}
		rows = append(rows, strings.Join(cells, " "))
	}
	return rows
}

func TestPlantedFaultsAreFound(t *testing.T) {
	r, out := run(t, planted(t))
	for _, c := range []struct {
		finding, columns string
		want             []string
	}{
		{"leaks", "id kind other_id other_label", []string{
			"test/angry/larger.png near train/angry/03.png angry", "test/angry/leak.png equal train/angry/00.png angry",
			"test/happy/leak.png equal train/calm/01.png calm", "test/angry/new0.png equal val/angry/leak.png angry"}},
		{"redundant", "id kind other_id", []string{
			"train/angry/again.png equal train/angry/06.png", "train/angry/mirrored.png near train/angry/09.png",
			"train/happy/02.png equal train/calm/contradicts.png", "train/happy/05.png near train/calm/nearly.png"}},
		{"conflicts", "id kind same of", []string{
			"train/calm/01.png equal 1 2", "train/calm/contradicts.png equal 1 2", "train/calm/nearly.png near 1 2",
			"train/happy/02.png equal 1 2", "train/happy/05.png near 1 2", "test/happy/leak.png equal 1 2"}},
		{"constant", "id width height", []string{"train/calm/gray.png 48 48"}},
		{"tiny", "id width", []string{"train/calm/icon.png 16"}},
		{"cut", "id split label", []string{"train/calm/cut.png train calm"}},
		{"undecodable", "id reason", []string{"train/calm/text.png decode image: not a jpeg, png, gif, bmp, webp or tiff file"}},
		{"classes", "split class images", []string{"train angry 6", "train calm 10", "train happy 4", "val angry 3", "val calm 2", "val happy 2",
			"test angry 4", "test calm 2", "test happy 3"}},
	} {
		if got := column(t, out, c.finding, strings.Fields(c.columns)...); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.finding, got, c.want)
		}
	}
	if r.Images != 36 || r.Distinct != 29 || r.Groups != 26 || r.Conflicts != (Conflicts{2, 1, 6}) || r.Splits["train"].Redundant != (Redundant{2, 2}) {
		t.Errorf("report %+v", r)
	}
	if want := []Leak{{"val", "train", 7, 0, 0, 0, 0}, {"test", "train", 9, 2, 1, 3, 0}, {"test", "val", 9, 1, 0, 1, 0}}; !slices.Equal(r.Leaks, want) {
		t.Errorf("leaks %+v, want %+v", r.Leaks, want)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(strings.Join(strings.Fields(text.String()), " "), "test, in train too 2 1 3 33.3% of 9") {
		t.Errorf("%v:\n%s", err, &text)
	}
}

// What the audit writes as JSON is the report, and a Parquet file holds what the CSV does.
func TestFilesAgree(t *testing.T) {
	r, out := run(t, planted(t))
	data, err := os.ReadFile(filepath.Join(out, reportFile))
	var read Report
	if err == nil {
		err = json.Unmarshal(data, &read)
	}
	if err != nil || read.Images != r.Images || len(read.Findings) != len(r.Findings) {
		t.Errorf("%v: %+v", err, read)
	}
	if data, err = os.ReadFile(filepath.Join(out, "leaks.parquet")); err != nil {
		t.Fatal(err)
	}
	rows, err := parquetfile.Read[CopyRow](data, -1)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range rows {
		ids = append(ids, c.ID+" "+c.OtherSplit)
	}
	if want := column(t, out, "leaks", "id", "other_split"); !slices.Equal(ids, want) {
		t.Errorf("leaks.parquet has %q, leaks.csv %q", ids, want)
	}
}

// Sets of other shapes: no train split, one class, no labels at all, a path that comes
// again, splits without rows.
func TestSetsOfOtherShapes(t *testing.T) {
	f := folder{t, t.TempDir()}
	for i := range uint64(3) {
		f.write(fmt.Sprintf("%d.png", i), pngOf(face(i)))
	}
	f.write("no-train.csv", []byte("path,label,split\n0.png,a,val\n1.png,a,val\n0.png,a,test\n"))
	f.write("plain.txt", []byte("0.png\n1.png\n0.png\n2.png\ngone.png\n"))
	f.write("again.csv", []byte("0.png,a\n1.png,b\n0.png,b\n"))
	r, _ := run(t, "list:"+filepath.Join(f.dir, "no-train.csv"))
	if want := []Leak{{"test", "val", 1, 1, 0, 1, 0}}; !slices.Equal(r.Leaks, want) || len(r.Classes) != 1 {
		t.Errorf("without train: %+v", r)
	}
	r, _ = run(t, "list:"+filepath.Join(f.dir, "plain.txt"))
	if len(r.Leaks) != 0 || r.Splits["train"].Redundant.Equal != 1 || r.Undecodable != 1 || r.Conflicts.Equal != 0 {
		t.Errorf("without labels: %+v", r)
	}
	r, _ = run(t, "list:"+filepath.Join(f.dir, "again.csv"))
	if r.Conflicts != (Conflicts{1, 0, 2}) || r.Distinct != 2 {
		t.Errorf("a path with two labels: %+v", r)
	}
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Keep([]int{0, 1, 2}); err != nil { // of train; the tests have no rows
		t.Fatal(err)
	}
	r, err = Run(t.Context(), Config{Data: d, Out: t.TempDir()})
	if err != nil || len(r.Leaks) != 3 || r.Leaks[0] != (Leak{"public-test", "train", 0, 0, 0, 0, 0}) {
		t.Errorf("empty splits: %v, %+v", err, r)
	}
	if err := r.WriteText(io.Discard); err != nil {
		t.Error(err)
	}
}

// A person in two splits is a leak, and no copy.
func TestGroupsOfTheUsersOwn(t *testing.T) {
	f := folder{t, t.TempDir()}
	for i := range uint64(5) {
		f.write(fmt.Sprintf("%d.png", i), pngOf(face(i)))
	}
	f.write("again.png", pngOf(face(0)))
	f.write("list.csv", []byte("path,label,split,person\n0.png,a,train,ann\n1.png,b,train,ann\n2.png,a,train,\n3.png,a,test,ann\n4.png,a,test,\nagain.png,a,test,ann\n"))
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: "list:" + filepath.Join(f.dir, "list.csv"), GroupBy: "person"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	out := t.TempDir()
	r, err := Run(t.Context(), Config{Data: d, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Leak{{"test", "train", 3, 1, 0, 1, 1}}; !slices.Equal(r.Leaks, want) || r.Splits["train"].Redundant != (Redundant{}) || r.Conflicts != (Conflicts{}) {
		t.Errorf("%+v", r)
	}
	if got, want := column(t, out, "leaks", "id", "kind", "other_id"), []string{"again.png equal 0.png", "3.png group 0.png"}; !slices.Equal(got, want) {
		t.Errorf("leaks %q, want %q", got, want)
	}
}

// TestRealFER2013 counts what the published files hold, against counts of the SHA-1 of
// the CSV's pixel column.
func TestRealFER2013(t *testing.T) {
	path := os.Getenv("GRAFT_FER2013")
	if path == "" {
		t.Skip("GRAFT_FER2013 does not name fer2013.tar.gz: the published data is not checked")
	}
	r, _ := run(t, path)
	if r.Images != 35887 || r.Distinct != 34034 || r.Splits["train"].Redundant.Equal != 1236 || r.Conflicts.Equal != 57 || r.Constant != 12 || r.Cut+r.Undecodable+r.Tiny != 0 {
		t.Errorf("%+v", r)
	}
	if want := []Leak{{"public-test", "train", 3589, 280, 7, 494, 0}, {"private-test", "train", 3589, 288, 9, 523, 0}}; !slices.Equal(r.Leaks[:2], want) {
		t.Errorf("leaks %+v", r.Leaks)
	}
}

// TestReadIsWhatWasWritten: of the rows that are looked at, those that the report counts.
func TestReadIsWhatWasWritten(t *testing.T) {
	r, out := run(t, planted(t))
	f, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	leaks := 0
	for _, l := range r.Leaks {
		leaks += l.All + l.Named
	}
	if len(f.Leaks) != leaks || leaks == 0 || len(f.Conflicts) != r.Conflicts.Rows || f.Report.Images != r.Images || f.Doubts != nil {
		t.Errorf("%d leaks, %d rows in conflict of %d images; want %d, %d of %d", len(f.Leaks), len(f.Conflicts), f.Report.Images, leaks, r.Conflicts.Rows, r.Images)
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "graft data audit") {
		t.Errorf("a folder that is no audit: %v", err)
	}
}
