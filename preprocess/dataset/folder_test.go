package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// animals is a generic set: three splits, three classes, gray and colour,
// several sizes.
func animals(t testing.TB) []member {
	t.Helper()
	var list []member
	for i, name := range []string{
		"train/cat/a.png", "train/cat/b.PNG", "train/dog/a.png", "train/ape/z.png",
		"val/dog/v.png", "val/cat/v.png", "test/ape/1.png", "test/dog/2.png",
	} {
		list = append(list, member{name: name, data: pngText(t, uint64(i), 1+2*(i%2), 5+i, 9-i)})
	}
	return append(list, member{name: "README.md", data: "animals"}, member{name: "train/cat/.DS_Store", data: "x"},
		member{name: "train/.ipynb_checkpoints/a.png", data: "x"})
}

var animalIDs = []string{
	"train/ape/z.png", "train/cat/a.png", "train/cat/b.PNG", "train/dog/a.png",
	"val/cat/v.png", "val/dog/v.png", "test/ape/1.png", "test/dog/2.png",
}

func ids(d *Dataset) []string {
	var out []string
	for _, s := range d.Samples {
		out = append(out, s.ID)
	}
	return out
}

// below moves members into a folder.
func below(dir string, list []member) []member {
	var out []member
	for _, m := range list {
		m.name = dir + m.name
		out = append(out, m)
	}
	return out
}

func TestGenericFolders(t *testing.T) {
	list := animals(t)
	renamed := func(from, to string) []member {
		var out []member
		for _, m := range list {
			m.name = strings.Replace(m.name, from+"/", to+"/", 1)
			out = append(out, m)
		}
		return out
	}
	prints := map[string]bool{}
	for name, path := range map[string]string{
		"folder":          unpack(t, list...),
		"wrapped folder":  unpack(t, below("animals/", list)...),
		"zip":             writeFile(t, "animals.zip", zipped(t, list...)),
		"twice wrapped":   writeFile(t, "animals.zip", zipped(t, below("x/animals/", list)...)),
		"windows zip":     writeFile(t, "animals.zip", zipped(t, renameAll(list, "/", `\`)...)),
		"with resources":  writeFile(t, "animals.zip", zipped(t, append(below("__MACOSX/", list), list...)...)),
		"other spellings": unpack(t, renamed("val", "Validation")...),
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, path, Ref{Verify: true})
			if d.Kind != "folder" || !slices.Equal(d.Classes, []string{"ape", "cat", "dog"}) || !slices.Equal(d.Splits, []string{"train", "val", "test"}) {
				t.Fatalf("kind %s, classes %v, splits %v", d.Kind, d.Classes, d.Splits)
			}
			if len(d.Warnings) != 0 {
				t.Errorf("warnings %q", d.Warnings)
			}
			im, err := d.Image(t.Context(), 1)
			if err != nil || im.C != 1 || im.H != 5 || im.W != 9 {
				t.Errorf("first cat is [%d,%d,%d], %v; want [1,5,9]", im.C, im.H, im.W, err)
			}
			if name == "other spellings" {
				return // its paths differ
			}
			if got := ids(d); !slices.Equal(got, animalIDs) {
				t.Errorf("samples %v, want %v", got, animalIDs)
			}
			prints[fingerprint(t, d)] = true
		})
	}
	if len(prints) != 1 {
		t.Errorf("%d fingerprints of one set: %v", len(prints), prints)
	}
}

func renameAll(list []member, from, to string) []member {
	var out []member
	for _, m := range list {
		m.name = strings.ReplaceAll(m.name, from, to)
		out = append(out, m)
	}
	return out
}

func TestFingerprintSeesChanges(t *testing.T) {
	list := animals(t)
	base := fingerprint(t, mustOpen(t, unpack(t, list...), Ref{}))
	for name, change := range map[string]func(l []member){
		"one byte":   func(l []member) { b := []byte(l[2].data); b[len(b)-20] ^= 1; l[2].data = string(b) },
		"file name":  func(l []member) { l[0].name = "train/cat/c.png" },
		"class name": func(l []member) { l[3].name, l[6].name = "train/bee/z.png", "test/bee/1.png" },
		"split":      func(l []member) { l[4].name = "test/dog/v.png" },
	} {
		l := slices.Clone(list)
		change(l)
		if fingerprint(t, mustOpen(t, unpack(t, l...), Ref{})) == base {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
}

// kaggleMembers is FER2013 as folders with Kaggle's own numbers, which have
// nothing to do with rows.
func kaggleMembers(t testing.TB) []member {
	t.Helper()
	var list []member
	for i, name := range []string{
		"train/happy/Training_50449107.jpg", "train/Angry/Training_3908.jpg", "train/sad/Training_11.jpg",
		"test/happy/PublicTest_41700566.jpg", "test/surprise/PrivateTest_400.jpg",
	} {
		list = append(list, member{name: name, data: pngText(t, uint64(i), 1, 48, 48)})
	}
	return list
}

func TestKaggleFolders(t *testing.T) {
	list := kaggleMembers(t)
	for _, path := range []string{unpack(t, list...), writeFile(t, "archive.zip", zipped(t, below("archive/", list)...))} {
		d := mustOpen(t, path, Ref{Verify: true})
		want := []Sample{
			{ID: "train/sad/Training_11.jpg", Split: "train", Label: 4},
			{ID: "test/surprise/PrivateTest_400.jpg", Split: "private-test", Label: 5},
			{ID: "train/Angry/Training_3908.jpg", Split: "train", Label: 0},
			{ID: "test/happy/PublicTest_41700566.jpg", Split: "public-test", Label: 3},
			{ID: "train/happy/Training_50449107.jpg", Split: "train", Label: 3},
		}
		if d.Kind != "fer2013-folder" || !slices.EqualFunc(d.Samples, want, func(a, b Sample) bool {
			return a.ID == b.ID && a.Split == b.Split && a.Label == b.Label
		}) {
			t.Errorf("kind %s, samples %+v", d.Kind, d.Samples)
		}
		if !slices.Equal(d.Classes, FERClasses) || !slices.Equal(d.Splits, FERSplits) || len(d.Warnings) != 3 {
			t.Errorf("classes %v, splits %v, warnings %q", d.Classes, d.Splits, d.Warnings)
		}
	}
	_, err := Open(context.Background(), Ref{Path: unpack(t, list...), FERPlus: "fer2013new.csv"}, nil)
	wantError(t, err, "does not tell its rows")
}

func TestFolderFaults(t *testing.T) {
	good := pngText(t, 1, 1, 6, 6)
	list := func(more ...member) []member { return append(animals(t), more...) }
	for name, c := range map[string]struct {
		members []member
		where   string // in Bad with SkipBad; "" if fatal all the same
		want    string
	}{
		"undecodable":     {list(member{name: "train/cat/broken.jpg", data: "no image"}), "train/cat/broken.jpg", "decode image"},
		"cut short":       {list(member{name: "train/cat/cut.png", data: good[:len(good)-30]}), "train/cat/cut.png", "decode png"},
		"odd kaggle name": {append(kaggleMembers(t), member{name: "train/sad/me.png", data: good}), "train/sad/me.png", "begins with none of Training_"},
		"two sets":        {append(below("a/", animals(t)), below("b/", animals(t))...), "", "2 data sets side by side (a, b"},
		"split twice":     {list(member{name: "training/cat/x.png", data: good}), "", "are both split train"},
		"only notes":      {[]member{{name: "train/cat/a.txt", data: "x"}}, "", "holds no CSV and no images; its files end in .txt"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{unpack(t, c.members...), writeFile(t, "set.zip", zipped(t, c.members...))} {
				_, err := Open(context.Background(), Ref{Path: path, Verify: true}, nil)
				wantError(t, err, path, c.where, c.want)
				if c.where == "" {
					_, err = Open(context.Background(), Ref{Path: path, Verify: true, SkipBad: true}, nil)
					wantError(t, err, path, c.want)
					continue
				}
				d := mustOpen(t, path, Ref{Verify: true, SkipBad: true})
				if len(d.Bad) != 1 || d.Bad[0].Where != c.where || !strings.Contains(d.Bad[0].Reason, c.want) {
					t.Errorf("bad entries %v, want %s", d.Bad, c.where)
				}
				if slices.Contains(ids(d), c.where) {
					t.Errorf("%s is still a sample", c.where)
				}
				for i := range d.Samples {
					if _, err := d.Image(t.Context(), i); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// Without Verify a broken image is told when it is asked for.
func TestBrokenImageOnDemand(t *testing.T) {
	path := unpack(t, append(animals(t), member{name: "val/cat/w.jpg", data: "no image"})...)
	d := mustOpen(t, path, Ref{})
	i := slices.Index(ids(d), "val/cat/w.jpg")
	_, err := d.Image(t.Context(), i)
	wantError(t, err, path, "val/cat/w.jpg", "decode image")
}

func TestZipAttacks(t *testing.T) {
	secret := writeFile(t, "secret.png", []byte(pngText(t, 5, 1, 6, 6)))
	link := member{name: "train/cat/link.png", target: secret}
	d := mustOpen(t, writeFile(t, "set.zip", zipped(t, append(animals(t), link)...)), Ref{Verify: true})
	if got := ids(d); !slices.Equal(got, animalIDs) {
		t.Errorf("samples %v; the link must be ignored", got)
	}
	for _, name := range []string{"../train/cat/x.png", "/../train/cat/x.png", "train/../../cat/x.png", `..\train\cat\x.png`} {
		path := writeFile(t, "set.zip", zipped(t, append(animals(t), member{name: name, data: "x"})...))
		_, err := Open(context.Background(), Ref{Path: path}, nil)
		wantError(t, err, path, name, "outside the archive")
		d := mustOpen(t, path, Ref{SkipBad: true})
		if got := ids(d); !slices.Equal(got, animalIDs) || len(d.Bad) != 1 {
			t.Errorf("%s: samples %v, bad %v", name, got, d.Bad)
		}
	}
}

func TestZipWithANameTwice(t *testing.T) {
	path := writeFile(t, "set.zip", zipped(t, append(animals(t), member{name: "test/dog/2.png", data: pngText(t, 9, 1, 4, 4)})...))
	_, err := Open(context.Background(), Ref{Path: path}, nil)
	wantError(t, err, path, "test/dog/2.png", "twice")
	d := mustOpen(t, path, Ref{SkipBad: true})
	if got := ids(d); !slices.Equal(got, animalIDs) || len(d.Bad) != 1 {
		t.Errorf("samples %v, bad %v", got, d.Bad)
	}
}

func TestLinksInFoldersAreFollowed(t *testing.T) {
	list := animals(t)
	path := unpack(t, list[4:]...) // without train
	train := unpack(t, list[:4]...)
	if err := os.Symlink(filepath.Join(train, "train"), filepath.Join(path, "train")); err != nil {
		t.Skip(err)
	}
	if got := ids(mustOpen(t, path, Ref{Verify: true})); !slices.Equal(got, animalIDs) {
		t.Errorf("samples %v", got)
	}
	if err := os.Symlink("nowhere.png", filepath.Join(path, "val", "cat", "w.png")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Ref{Path: path, Verify: true}, nil)
	wantError(t, err, "val/cat/w.png")
}

func TestStrayImagesAreTold(t *testing.T) {
	path := unpack(t, append(animals(t), member{name: "train/x.png", data: "x"}, member{name: "cover.jpg", data: "x"})...)
	d := mustOpen(t, path, Ref{})
	if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "2 image files lie outside") {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func TestOtherFilesAreTold(t *testing.T) {
	path := unpack(t, append(animals(t), member{name: "train/cat/x.HEIC", data: "x"}, member{name: "train/dog/y.heic", data: "x"},
		member{name: "val/dog/README", data: "x"}, member{name: "val/dog/Thumbs.db", data: "x"})...)
	want := []string{path + ": in class folders, not read as images: 3 files (no ending, .heic)"}
	if d := mustOpen(t, path, Ref{}); !slices.Equal(d.Warnings, want) {
		t.Errorf("warnings %q, want %q", d.Warnings, want)
	}
}

// TestConcurrentImages is for the race detector.
func TestConcurrentImages(t *testing.T) {
	sets := []*Dataset{
		mustOpen(t, writeFile(t, "animals.zip", zipped(t, animals(t)...)), Ref{}),
		mustOpen(t, writeFile(t, "fer2013.csv", []byte(csvText(testRows(1, 9)))), Ref{}),
		mustOpen(t, SyntheticPath, Ref{PerClass: 1}),
	}
	for _, d := range sets {
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range 4 {
			wg.Go(func() {
				for i := range d.Samples {
					im, err := d.Image(t.Context(), i)
					if err == nil && len(im.Pix) != im.C*im.H*im.W {
						err = fmt.Errorf("image %d is torn", i)
					}
					if err != nil {
						errs <- err
						return
					}
					im.Pix[0]++ // the caller's own
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
	}
}
