package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
)

// wantFixture compares a set with what scripts/fixtures_datasets.py put into it: samples as
// "split class image", where an image is told by its pixels.
func wantFixture(t *testing.T, d *Dataset, want ...string) {
	t.Helper()
	var got []string
	for i, s := range d.Samples {
		im, err := d.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		number := int(im.Pix[0]) / 40
		for c := range im.C {
			for p := range 20 {
				if int(im.Pix[20*c+p]) != (40*number+20*c+p)%256 {
					t.Fatalf("%s: pixel %d of channel %d is %d", s.ID, p, c, im.Pix[20*c+p])
				}
			}
		}
		if im.H != 4 || im.W != 5 {
			t.Errorf("%s: %d×%d pixels", s.ID, im.W, im.H)
		}
		got = append(got, strings.TrimSpace(s.Split+" "+d.Classes[s.Label]+" "+string(rune('0'+number))))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: samples %q, want %q", d.Path, got, want)
	}
}

// packed is a folder's files as members.
func packed(t *testing.T, dir string) (list []member) {
	t.Helper()
	entries, _, err := dirTree{dir}.entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if data, err := os.ReadFile(filepath.Join(dir, e.name)); err == nil {
			list = append(list, member{name: e.name, data: string(data)})
		}
	}
	return list
}

// unsplit opens a set whose splits are of no interest, all in train.
func unsplit(t *testing.T, path string) *Dataset {
	t.Helper()
	return mustOpen(t, path, Ref{SplitShares: "100/0"})
}

// TestParquet: Hugging Face's datasets, as one file and as a folder, a zip and a tar.
func TestParquet(t *testing.T) {
	inAllPackings(t, packed(t, "testdata/hf"), func(t *testing.T, path string) {
		d := mustOpen(t, path, Ref{Verify: true})
		wantFixture(t, d, "test cow 5", "train wolf 0", "train ant 1", "train cow 2", "train ant 3", "train wolf 4")
		if d.Kind != "parquet" || !d.Photos() || !slices.Equal(d.Splits, []string{Train, Test}) || !slices.Equal(d.Classes, []string{"ant", "cow", "wolf"}) {
			t.Errorf("%+v", d.Info())
		}
	})
	wantFixture(t, mustOpen(t, "testdata/hf/data/train-00001-of-00002.parquet", Ref{}), "train ant 3", "train wolf 4")
	wantFixture(t, unsplit(t, "testdata/plain.parquet"), "train 10 0", "train 9 1", "train 10 2", "train 9 3")
	wantFixture(t, unsplit(t, "testdata/text.parquet"), "train dog 0", "train cat 1")
	d := unsplit(t, "testdata/plain.parquet")
	for _, i := range []int{3, 0, 2, 1, 3} { // back and forth through row groups
		if im, err := d.Image(t.Context(), i); err != nil || int(im.Pix[0]) != 40*i {
			t.Errorf("image %d: %v, %v", i, im.Pix, err)
		}
	}
	data, err := os.ReadFile("testdata/plain.parquet")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Ref{Path: writeFile(t, "cut.parquet", data[:len(data)-20])}, nil)
	wantError(t, err, "cut.parquet", "cut short or damaged")
}

// TestNpy: arrays in every order of axes, with their labels, and what is wrong with others.
func TestNpy(t *testing.T) {
	train := []string{"train 10 0", "train 9 1", "train 10 2"}
	both := append(slices.Clone(train), "test 9 0", "test 10 1")
	inAllPackings(t, packed(t, "testdata/npy"), func(t *testing.T, path string) {
		d := mustOpen(t, path, Ref{})
		wantFixture(t, d, both...)
		if d.Kind != "npy" || !slices.Equal(d.Classes, []string{"9", "10"}) || !slices.Equal(d.Splits, []string{Train, Test}) {
			t.Errorf("%+v", d.Info())
		}
	})
	wantFixture(t, mustOpen(t, "testdata/npy/x_train.npy", Ref{}), train...)
	wantFixture(t, unsplit(t, "testdata/named/faces.npy"), "train sad 0", "train happy 1", "train sad 2", "train fröhlich 3")
	wantFixture(t, mustOpen(t, "testdata/med.npz", Ref{}), "train 0 0", "train 1 1", "train 0 2", "val 1 0", "val 0 1")
	wantFixture(t, unsplit(t, "testdata/pair.npz"), "train 1 0", "train 0 1", "train 1 2", "train 0 3")
	faces, err := os.ReadFile("testdata/named/faces.npy")
	if err != nil {
		t.Fatal(err)
	}
	wantFixture(t, mustOpen(t, writeFile(t, "x.npy", faces), Ref{}), "train unlabelled 0", "train unlabelled 1", "train unlabelled 2", "train unlabelled 3")
	for change, want := range map[string]string{
		"'|u1' '<f4'":        "does not fit",
		"'|u1' '|i1'":        "wanted uint8",
		"False True ":        "Fortran",
		"(4, (2000000000, ":  "does not fit",
		"'|u1' '|O1'":        "wanted uint8",
		"'descr' 'descr_'":   "described as",
		"4,_4,_5 80______":   "wanted images",
		"x93NUMPY x93NUMPY ": "",
	} {
		from, to, _ := strings.Cut(change, " ")
		text := strings.Replace(string(faces), strings.ReplaceAll(from, "_", " "), strings.ReplaceAll(to, "_", " "), 1)
		if want == "" {
			text = text[:len(text)-1]
			want = "does not fit"
		}
		_, err := Open(context.Background(), Ref{Path: writeFile(t, "x.npy", []byte(text))}, nil)
		wantError(t, err, "x.npy", want)
	}
}

// TestShards: WebDataset's tars, one and several.
func TestShards(t *testing.T) {
	image := func(i int) string { return pngText(t, uint64(i), 1, 4, 5) }
	one := tarred(t, member{name: "./a.0.png", data: image(1)}, member{name: "a.cls", data: "10\n"}, member{name: "b.png", data: image(2)}, member{name: "b.json", data: `{"label": 9, "x": [1]}`})
	two := tarred(t, member{name: "c.json", data: `{"label": "cat"}`}, member{name: "c.jpg", data: image(3)})
	d := mustOpen(t, writeFile(t, "train-000000.tar", one), Ref{Verify: true})
	want := []string{"train 10 train-000000/a.0.png", "train 9 train-000000/b.png"}
	if got := placed(d); d.Kind != "webdataset" || !slices.Equal(got, want) || !slices.Equal(d.Classes, []string{"9", "10"}) {
		t.Errorf("%s %q", d.Kind, got)
	}
	folder := unpack(t, member{name: "train-000000.tar", data: string(one)}, member{name: "val/000000.tar.gz", data: string(gzipped(t, two))})
	d = mustOpen(t, folder, Ref{Verify: true})
	if got := placed(d); !slices.Equal(got, append(want, "val cat val/000000.tar/c.jpg")) || !slices.Equal(d.Splits, []string{Train, Val}) {
		t.Errorf("%q", got)
	}
	if fingerprint(t, d) == "" || d.Samples[2].Label != 2 {
		t.Errorf("%+v", d.Samples)
	}
	mixed := tarred(t, member{name: "a.png", data: image(1)}, member{name: "a.cls", data: "x"}, member{name: "b.png", data: image(2)})
	_, err := Open(context.Background(), Ref{Path: writeFile(t, "train.tar", mixed)}, nil)
	wantError(t, err, "b.png has no label")
}

// TestForeignFilesAreNamed: what is no dataset of a form that is read is called what it is.
func TestForeignFilesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid": "Git LFS", "<!DOCTYPE html><html>": "web page", "7z\xbc\xaf\x27\x1c": "7z", "\x89HDF\r\n": "HDF5",
		"\x80\x02}q\x01": "pickle", pngText(t, 1, 1, 2, 2): "one image",
	} {
		_, err := Open(context.Background(), Ref{Path: writeFile(t, "data.bin", []byte(text))}, nil)
		wantError(t, err, "data.bin", want)
	}
	_, err := Open(context.Background(), Ref{Path: writeFile(t, "x.npy.gz", gzipped(t, []byte("\x93NUMPY...")))}, nil)
	wantError(t, err, "packed by gzip")
}

// FuzzArrays: no parquet file, array, list of arrays or shard panics, or gives a set that
// contradicts itself.
func FuzzArrays(f *testing.F) {
	for _, name := range []string{"plain.parquet", "text.parquet", "med.npz", "pair.npz", "named/faces.npy", "npy/y_test.npy"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(tarred(f, member{name: "a.png", data: pngText(f, 1, 1, 4, 5)}, member{name: "a.json", data: `{"label": "b"}`}))
	path := filepath.Join(f.TempDir(), "train.bin")
	f.Fuzz(func(t *testing.T, data []byte) {
		if tooBig(data) {
			t.Skip()
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(context.Background(), Ref{Path: path, SkipBad: true}, nil)
		if err != nil {
			return
		}
		defer d.Close()
		for i, s := range d.Samples[:min(len(d.Samples), 1000)] {
			if s.Label < 0 || s.Label >= len(d.Classes) || !slices.Contains(d.Splits, s.Split) {
				t.Fatalf("sample %+v of %d classes, splits %v", s, len(d.Classes), d.Splits)
			}
			if im, err := d.Image(t.Context(), i); err == nil && len(im.Pix) != im.C*im.H*im.W {
				t.Fatalf("image of %d bytes, shape [%d,%d,%d]", len(im.Pix), im.C, im.H, im.W)
			} else if errors.As(err, new(*preprocess.BadImageError)) {
				continue
			}
		}
		d.Info()
	})
}
