package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
)

// listed lays animals out and writes a list beside them.
func listed(t testing.TB, name, text string) string {
	t.Helper()
	root := unpack(t, append(animals(t), member{name: name, data: text})...)
	return ListPrefix + filepath.Join(root, name)
}

func TestLists(t *testing.T) {
	plain := "train/cat/a.png,cat,train\nval/dog/v.png,dog,val\ntrain/cat/a.png,dog,train\n"
	want := []Sample{
		{ID: "train/cat/a.png", Split: "train", Label: 0},
		{ID: "val/dog/v.png", Split: "val", Label: 1},
		{ID: "train/cat/a.png", Split: "train", Label: 1},
	}
	prints := map[string]bool{}
	for name, text := range map[string]string{
		"plain":           plain,
		"header":          "path,label,split\n" + plain,
		"other order":     "Split, Path, Label\ntrain,train/cat/a.png,cat\nvalid,val/dog/v.png,dog\nTraining,train/cat/a.png,dog\n",
		"comments":        "# animals\n\n" + strings.ReplaceAll(plain, "\n", "\n\n  \n#,,,,\n"),
		"windows":         "\xef\xbb\xbf" + strings.ReplaceAll(plain, "\n", "\r\n"),
		"quotes":          "\"train/cat/a.png\",\"cat\",\"train\"\n\"val/dog/v.png\",dog , val\ntrain/cat/a.png,dog,\"train\"",
		"gzip":            string(gzipped(t, []byte(plain))),
		"gzip and header": string(gzipped(t, []byte("path,label,split\r\n"+plain))),
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, listed(t, "list.csv", text), Ref{Verify: true})
			if d.Kind != "list" || !d.Photos() || !slices.Equal(d.Classes, []string{"cat", "dog"}) || !slices.Equal(d.Splits, []string{"train", "val"}) {
				t.Fatalf("kind %s, classes %v, splits %v", d.Kind, d.Classes, d.Splits)
			}
			if !slices.EqualFunc(d.Samples, want, func(a, b Sample) bool { return a.ID == b.ID && a.Split == b.Split && a.Label == b.Label }) {
				t.Errorf("samples %+v", d.Samples)
			}
			if im, err := d.Image(t.Context(), 2); err != nil || im.C != 1 || im.H != 5 || im.W != 9 {
				t.Errorf("image 2 is [%d,%d,%d], %v", im.C, im.H, im.W, err)
			}
			prints[fingerprint(t, d)] = true
		})
	}
	if len(prints) != 1 {
		t.Errorf("%d fingerprints of one list", len(prints))
	}
}

func TestListsWithoutLabelsAndSplits(t *testing.T) {
	path := listed(t, "list.txt", "test/dog/2.png\ntrain/cat/a.png\n")
	d := mustOpen(t, path, Ref{})
	if !slices.Equal(d.Classes, []string{unlabelled}) || !slices.Equal(d.Splits, []string{"train"}) || d.Samples[0].ID != "test/dog/2.png" {
		t.Errorf("classes %v, splits %v, samples %v", d.Classes, d.Splits, d.Samples)
	}
	d = mustOpen(t, listed(t, "list.txt", "train/cat/a.png,10,fold-2\ntrain/cat/b.PNG,9,test\nval/cat/v.png,-1,train\n"), Ref{})
	if !slices.Equal(d.Classes, []string{"-1", "9", "10"}) || !slices.Equal(d.Splits, []string{"train", "test", "fold-2"}) || d.Samples[0].Label != 2 {
		t.Errorf("classes %v, splits %v, samples %v", d.Classes, d.Splits, d.Samples)
	}
}

func TestListPaths(t *testing.T) {
	elsewhere := writeFile(t, `a "b", c.png`, []byte(pngText(t, 1, 3, 4, 6)))
	quoted := `"` + strings.ReplaceAll(elsewhere, `"`, `""`) + `"`
	d := mustOpen(t, listed(t, "sub.csv", quoted+"\n"), Ref{Verify: true})
	if d.Samples[0].ID != elsewhere {
		t.Errorf("ID %s, want %s", d.Samples[0].ID, elsewhere)
	}
}

func TestListIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := makePipe(path); err != nil {
		t.Skip(err)
	}
	_, err := Open(context.Background(), Ref{Path: ListPrefix + path}, nil)
	wantError(t, err, "not a regular file but a pipe")
}

func TestListFaults(t *testing.T) {
	good := "train/cat/a.png,cat,train\n"
	for name, c := range map[string]struct {
		line, want string
		fatal      bool
	}{
		"too few":      {line: "train/cat/b.PNG,cat", want: "line 3: 2 fields, wanted 3"},
		"too many":     {line: "train/cat/b.PNG,cat,train,x", want: "line 3: 4 fields, wanted 3"},
		"open quote":   {line: `"train/cat/b.PNG,cat,train`, want: "line 3: quotation mark is not closed"},
		"after quote":  {line: `"train/cat/b.PNG"x,cat,train`, want: "line 3: text behind"},
		"no path":      {line: ",cat,train", want: "line 3: path is empty"},
		"no label":     {line: "train/cat/b.PNG, ,train", want: "line 3: label is empty"},
		"binary path":  {line: "train/\x00,cat,train", want: "line 3: path is not printable"},
		"latin1 label": {line: "train/cat/b.PNG,\xe9t\xe9,train", want: "line 3: label is not printable"},
		"split":        {line: "train/cat/b.PNG,cat,../x", want: `line 3: split "../x"`},
		"long":         {line: strings.Repeat("x", maxListLine+1), want: "line 3 is longer than", fatal: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := listed(t, "list.csv", good+"\n"+c.line+"\n"+good)
			_, err := Open(context.Background(), Ref{Path: path}, nil)
			wantError(t, err, path, c.want)
			if c.fatal {
				return
			}
			d := mustOpen(t, path, Ref{SkipBad: true})
			if len(d.Samples) != 2 || len(d.Bad) != 1 || d.Bad[0].Where != "line 3" {
				t.Errorf("%d samples, bad %v", len(d.Samples), d.Bad)
			}
		})
	}
	for text, want := range map[string]string{
		"path,label,fold\n" + good:  `header "fold"`,
		"path,path\n" + good:        `header "path"`,
		"file,label,split\n" + good: `header "file": want path`,
		"# nothing\n\n":             "no usable image",
		"\x1f\x8bnonsense":          "unpack",
	} {
		_, err := Open(context.Background(), Ref{Path: listed(t, "list.csv", text)}, nil)
		wantError(t, err, want)
	}
	for _, path := range []string{"list:", "list:" + t.TempDir(), "list:" + filepath.Join(t.TempDir(), "nowhere.txt")} {
		if _, err := Open(context.Background(), Ref{Path: path}, nil); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

// wantBadImage checks that sample i is blamed, without its path.
func wantBadImage(t *testing.T, d *Dataset, i int, reason string) {
	t.Helper()
	_, err := d.Image(t.Context(), i)
	var bad *preprocess.BadImageError
	if !errors.As(err, &bad) || bad.Reason != reason {
		t.Errorf("%s: error %v, want a bad image: %s", d.Samples[i].ID, err, reason)
	}
}

// Whatever a path leads to, asking for it neither fails the set nor waits.
func TestBadFilesInTheWild(t *testing.T) {
	root := unpack(t, append(animals(t), member{name: "train/cat/folder.jpg/x/"}, member{name: "train/cat/empty.jpg"},
		member{name: "list.txt", data: strings.Join([]string{"train/cat/a.png", "train/cat/gone.jpg", "train/cat/a.png/x.png",
			"train/cat/folder.jpg", "train/cat/empty.jpg", "train/cat/dangling.jpg", "train/cat/circle.jpg", "train/cat/pipe.jpg"}, "\n")})...)
	cat := filepath.Join(root, "train", "cat")
	for name, target := range map[string]string{"dangling.jpg": "nowhere", "circle.jpg": "circle.jpg"} {
		if err := os.Symlink(target, filepath.Join(cat, name)); err != nil {
			t.Skip(err)
		}
	}
	if err := makePipe(filepath.Join(cat, "pipe.jpg")); err != nil {
		t.Skip(err)
	}
	reasons := []string{"", "file not found", "file not found", "not a regular file but a folder", "image file is empty",
		"file not found", "links lead in a circle", "not a regular file but a pipe"}
	d := mustOpen(t, ListPrefix+filepath.Join(root, "list.txt"), Ref{})
	for i, reason := range reasons[1:] {
		wantBadImage(t, d, i+1, reason)
	}
	fingerprint(t, d)
	d = mustOpen(t, root, Ref{SkipBad: true, Verify: true})
	if len(d.Bad) != 4 || len(d.Samples) != len(animalIDs) {
		t.Errorf("folder: %d samples, bad %v", len(d.Samples), d.Bad)
	}
	d = mustOpen(t, root, Ref{})
	fingerprint(t, d)
}

// A damaged member is that image's fault.
func TestDamagedMember(t *testing.T) {
	data := zipped(t, append(animals(t), member{name: "train/cat/c.png", data: pngText(t, 7, 3, 40, 40)})...)
	at := strings.LastIndex(string(data), "train/cat/c.png")
	at = strings.LastIndex(string(data[:at]), "train/cat/c.png") + len("train/cat/c.png") + 2000
	data[at] ^= 0xff
	d := mustOpen(t, writeFile(t, "set.zip", data), Ref{})
	i := slices.Index(ids(d), "train/cat/c.png")
	_, err := d.Image(t.Context(), i)
	var bad *preprocess.BadImageError
	if !errors.As(err, &bad) {
		t.Errorf("error %v, want a bad image", err)
	}
	fingerprint(t, d)
}

// The index of a list costs a struct and the path for each line, also while it
// is read.
func TestListMemory(t *testing.T) {
	const lines = 200_000
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "images/%06d/some-photograph.jpg,class-%d,train\n", i, i%100)
	}
	path := ListPrefix + writeFile(t, "list.csv", []byte(b.String()))
	perLine := b.Len() / lines
	b.Reset()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := mustOpen(t, path, Ref{})
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / lines; len(d.Samples) != lines || n > 64+uint64(perLine)+16 {
		t.Errorf("%d samples, %d bytes allocated a line of %d bytes", len(d.Samples), n, perLine)
	} else {
		t.Logf("%d bytes a line of %d bytes", n, perLine)
	}
}

func TestConvertList(t *testing.T) {
	d := mustOpen(t, listed(t, "list.csv", "train/cat/a.png,x,train\ntrain/cat/a.png,x,train\n"), Ref{})
	out := filepath.Join(t.TempDir(), "out")
	if err := Convert(context.Background(), d, out, nil); err != nil {
		t.Fatal(err)
	}
	if got := ids(mustOpen(t, out, Ref{Verify: true})); !slices.Equal(got, []string{"train/x/0000000-a.png", "train/x/0000001-a.png"}) {
		t.Errorf("converted to %v", got)
	}
	for line, want := range map[string]string{
		"train/cat/a.png,../../x,train\n": `class "../../x" cannot be a folder's name`,
		"train/cat/a.png,x,fold-2\n":      `split "fold-2" would not be read back`,
	} {
		d := mustOpen(t, listed(t, "list.csv", line), Ref{})
		wantError(t, Convert(context.Background(), d, filepath.Join(t.TempDir(), "out"), nil), want)
	}
}
