package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess/dataset"
)

func propose(t *testing.T, folder string, p Proposal) (lines []string) {
	t.Helper()
	changes, err := Propose(folder, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		lines = append(lines, strings.Join([]string{c.ID, c.Change, c.Label}, " "))
	}
	return lines
}

// Only train is changed, and only by what is plain.
func TestProposalsAreConservative(t *testing.T) {
	_, out := run(t, planted(t))
	want := []string{
		"train/angry/00.png drop ",         // in test too
		"train/angry/03.png drop ",         // nearly
		"train/angry/again.png drop ",      // 06.png comes before it
		"train/calm/01.png drop ",          // in test too, with another label
		"train/calm/contradicts.png drop ", // calm here, happy there
		"train/calm/cut.png drop ", "train/calm/gray.png drop ", "train/calm/text.png drop ",
		"train/happy/02.png drop ", // contradicts.png
	}
	if got := propose(t, out, Proposal{}); !slices.Equal(got, want) {
		t.Errorf("proposed\n%q, want\n%q", got, want)
	}
	near := propose(t, out, Proposal{Near: true})
	near = slices.DeleteFunc(near, func(line string) bool { return slices.Contains(want, line) })
	if more := []string{"train/angry/mirrored.png drop ", "train/happy/05.png drop "}; !slices.Equal(near, more) {
		t.Errorf("near duplicates add %q, want %q", near, more)
	}
	if _, err := Propose(out, Proposal{Labels: Drop}); err == nil || !strings.Contains(err.Error(), "--embeddings") {
		t.Errorf("labels of an audit without features: %v", err)
	}
	if _, err := Propose(t.TempDir(), Proposal{}); err == nil || !strings.Contains(err.Error(), "no folder of graft data audit") {
		t.Errorf("a folder of nothing: %v", err)
	}
}

// Of equal images the label of more than half of them stays.
func TestMajorityOfEqualImages(t *testing.T) {
	set := func(labels ...string) (rows []groupRow) {
		for _, l := range labels {
			rows = append(rows, groupRow{Row: Row{Label: l}})
		}
		return rows
	}
	for _, c := range []struct {
		labels []string
		want   int
	}{{[]string{"a"}, 0}, {[]string{"b", "a", "a"}, 1}, {[]string{"a", "b"}, -1}, {[]string{"a", "b", "c", "a"}, -1}} {
		if got := keptOf(set(c.labels...)); got != c.want {
			t.Errorf("%q: %d is kept, want %d", c.labels, got, c.want)
		}
	}
}

func TestDoubtfulLabelsAreChangedWhereAsked(t *testing.T) {
	f := newDrawn(t, 30)
	for _, i := range []int{3, 50} {
		f.like(i, (f.data.Samples[i].Label+2)%7)
	}
	_, out := f.run(f.store(all))
	if got := propose(t, out, Proposal{}); len(got) != 0 {
		t.Errorf("unasked: %q", got)
	}
	first := f.data.Samples[3]
	want := strings.Join([]string{first.ID, Relabel, f.data.Classes[(first.Label+2)%7]}, " ")
	if got := propose(t, out, Proposal{Labels: Relabel}); !slices.Contains(got, want) || len(got) != 2 {
		t.Errorf("%q lack %q", got, want)
	}
	if got := propose(t, out, Proposal{Labels: Drop, Top: 1}); len(got) != 1 || !strings.HasSuffix(got[0], " drop ") {
		t.Errorf("the most doubtful one: %q", got)
	}
}

// What was proposed and edited is made, of a folder as a list, and the cleaned set's
// audit finds nothing more of it in train.
func TestChangesAreMade(t *testing.T) {
	dir := planted(t)
	_, out := run(t, dir)
	changes, err := Propose(out, Proposal{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "changes.csv")
	if err := WriteChanges(path, changes); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var edited []string // keeps 00.png, and gives 06.png another label
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "00.png") {
			edited = append(edited, line)
		}
	}
	edited = append(edited, ",train/angry/06.png,relabel,happy,\n")
	if err := os.WriteFile(path, []byte("\ufeff"+strings.Join(edited, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	if changes, err = ReadChanges(path); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	dropped, relabelled, err := Apply(d, changes)
	if err != nil || dropped != 8 || relabelled != 1 {
		t.Fatalf("%d dropped, %d relabelled, %v", dropped, relabelled, err)
	}
	list := filepath.Join(filepath.Dir(dir), "cleaned.csv")
	if err := dataset.Rewrite(t.Context(), d, list, nil); err != nil {
		t.Fatal(err)
	}
	r, _ := run(t, "list:"+list)
	if r.Images != 28 || r.Leaks[1].All != 1 || r.Splits["train"].Redundant != (Redundant{0, 2}) || r.Conflicts.Equal != 0 || r.Constant+r.Cut+r.Undecodable != 0 {
		t.Errorf("cleaned: %+v", r)
	}
	if r.Splits["train"].Classes["happy"] != 4 || r.Splits["test"].Total != 9 {
		t.Errorf("splits %+v", r.Splits)
	}
}

func TestChangesThatDoNotFit(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "empty",
		"id,chnage\n":                         `column "chnage"`,
		"index,id\n":                          `no column "change"`,
		"id,change\nx,remove\n":               `line 2: change "remove"`,
		"id,change,new_label\nx,relabel,\n":   "line 2: relabel without",
		"id,change,new_label\nx,drop,happy\n": "is relabel meant",
		"index,id,change\none,x,drop\n":       `index "one"`,
		"id,change\nx\n":                      "line 2",
	} {
		path := filepath.Join(t.TempDir(), "changes.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadChanges(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	f := folder{t, t.TempDir()}
	f.write("0.png", pngOf(face(0)))
	f.write("list.csv", []byte("0.png,a\n0.png,b\n"))
	for want, changes := range map[string][]Change{
		`no row "gone"`:      {{-1, "gone", Drop, "", ""}},
		"index has to tell":  {{-1, "0.png", Drop, "", ""}},
		`row 5 of`:           {{5, "0.png", Drop, "", ""}},
		`no class "c"`:       {{1, "0.png", Relabel, "c", ""}},
		"is changed twice":   {{1, "0.png", Relabel, "a", ""}, {1, "0.png", Drop, "", ""}},
		"another dataset?":   {{2, "0.png", Drop, "", ""}},
		"changes of another": {{0, "1.png", Drop, "", ""}},
	} {
		d := open(t, "list:"+filepath.Join(f.dir, "list.csv"))
		if _, _, err := Apply(d, changes); err == nil || !strings.Contains(err.Error(), want) || len(d.Samples) != 2 {
			t.Errorf("%+v: error %v, want one with %q", changes, err, want)
		}
	}
}
