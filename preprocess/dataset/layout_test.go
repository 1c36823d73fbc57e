package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pictures are images at the given places, all different.
func pictures(t testing.TB, names ...string) []member {
	t.Helper()
	var list []member
	for i, name := range names {
		m := member{name: name}
		if !strings.HasSuffix(name, "/") {
			m.data = pngText(t, uint64(i), 1, 6, 7)
		}
		list = append(list, m)
	}
	return list
}

// inAllPackings opens members as a folder, a .zip, a .tar and a .tar.gz.
func inAllPackings(t *testing.T, list []member, f func(t *testing.T, path string)) {
	t.Helper()
	for name, path := range map[string]string{
		"folder": unpack(t, list...),
		"zip":    writeFile(t, "set.zip", zipped(t, list...)),
		"tar":    writeFile(t, "set.tar", tarred(t, list...)),
		"tar.gz": writeFile(t, "set.tar.gz", gzipped(t, tarred(t, list...))),
	} {
		t.Run(name, func(t *testing.T) { f(t, path) })
	}
}

// placed is a set's samples as "split class id".
func placed(d *Dataset) (out []string) {
	for _, s := range d.Samples {
		out = append(out, fmt.Sprintf("%s %s %s", s.Split, d.Classes[s.Label], s.ID))
	}
	return out
}

// TestLayouts: whatever folders lie around or below them, splits and classes are found.
func TestLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  []string // split class id
		warns []string
	}{
		"the class is the first folder": {
			[]string{"train/b/day0/0.png", "train/a/day1/x/1.png", "train/a/2.png", "test/b/3.png", "test/a/4.png"},
			[]string{"train a train/a/2.png", "train a train/a/day1/x/1.png", "train b train/b/day0/0.png", "test a test/a/4.png", "test b test/b/3.png"}, nil,
		},
		"wrapped twice": {
			[]string{"x/y/train/a/0.png", "x/y/train/b/1.png", "x/y/test/a/2.png"},
			[]string{"train a train/a/0.png", "train b train/b/1.png", "test a test/a/2.png"}, nil,
		},
		"wrapped with the split's own name": {
			[]string{"seg_train/seg_train/a/0.png", "seg_train/seg_train/b/1.png", "seg_test/seg_test/a/2.png", "seg_pred/seg_pred/3.png"},
			[]string{"train a seg_train/seg_train/a/0.png", "train b seg_train/seg_train/b/1.png", "test a seg_test/seg_test/a/2.png"},
			[]string{"1 image files lie outside"},
		},
		"train in train": {
			[]string{"d/Train/train/a/0.png", "d/Train/train/b/1.png", "d/VALIDATION/images/a/2.png", "d/VALIDATION/images/b/3.png"},
			[]string{"train a Train/train/a/0.png", "train b Train/train/b/1.png", "val a VALIDATION/images/a/2.png", "val b VALIDATION/images/b/3.png"}, nil,
		},
		"FER2013's splits": {
			[]string{"Training/happy/1.png", "Training/Anger/2.png", "PublicTest/happy/3.png", "PrivateTest/sad/4.png"},
			[]string{"train angry Training/Anger/2.png", "train happy Training/happy/1.png", "public-test happy PublicTest/happy/3.png", "private-test sad PrivateTest/sad/4.png"},
			[]string{"holds 2 images", "holds 1 image", "holds 1 image"},
		},
		"numbers as numbers": {
			[]string{"train/10/0.png", "train/9/1.png", "test/9/2.png"},
			[]string{"train 9 train/9/1.png", "train 10 train/10/0.png", "test 9 test/9/2.png"}, nil,
		},
		"a class stays": {
			[]string{"train/bee/", "train/ant/0.png", "train/cow/1.png", "test/bee/2.png", "test/ant/3.png"},
			[]string{"train ant train/ant/0.png", "train cow train/cow/1.png", "test ant test/ant/3.png", "test bee test/bee/2.png"},
			[]string{"train/bee: class folder holds no images", "class bee has no training images"},
		},
		"images without classes": {
			[]string{"b.png", "a.png", "more/c.png"},
			[]string{"train unlabelled a.png", "train unlabelled b.png", "train unlabelled more/c.png"},
			[]string{"a set of 3 images without labels"},
		},
		"images of splits without classes": {
			[]string{"train/a.png", "test/b.png"},
			[]string{"train unlabelled train/a.png", "test unlabelled test/b.png"},
			[]string{"a set of 2 images without labels"},
		},
		"what systems leave about": {
			[]string{"train/a/0.png", "train/b/1.png", "__MACOSX/train/a/._0.png", "train/a/.DS_Store", "train/a/Thumbs.db", ".cache/train/c/2.png", "train/b/desktop.ini"},
			[]string{"train a train/a/0.png", "train b train/b/1.png"}, nil,
		},
		"splits in classes": {
			[]string{"cat/train/0.png", "cat/test/1.png", "dog/train/2.png", "dog/test/3.png"},
			[]string{"train cat cat/train/0.png", "train dog dog/train/2.png", "test cat cat/test/1.png", "test dog dog/test/3.png"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inAllPackings(t, pictures(t, c.files...), func(t *testing.T, path string) {
				d := mustOpen(t, path, Ref{Verify: true})
				if got := placed(d); !slices.Equal(got, c.want) {
					t.Errorf("samples\n%q, want\n%q", got, c.want)
				}
				if !slices.EqualFunc(d.Warnings, c.warns, strings.Contains) {
					t.Errorf("warnings %q, want %q", d.Warnings, c.warns)
				}
			})
		})
	}
}

// TestFlatClassFolders: classes without splits, one of which is called as a split may be.
func TestFlatClassFolders(t *testing.T) {
	inAllPackings(t, pictures(t, "photos/train/0.png", "photos/bus/1.png", "photos/car/deep/2.png", "photos/bus/3.png"), func(t *testing.T, path string) {
		d := mustOpen(t, path, Ref{})
		if !slices.Equal(d.Classes, []string{"bus", "car", "train"}) || len(d.Samples) != 4 || !strings.Contains(strings.Join(d.Warnings, ""), "is split 80/10/10") {
			t.Errorf("%+v", d.Info())
		}
	})
}

// TestOneClassIsTold: of class folders and of wrapping ones.
func TestOneClassIsTold(t *testing.T) {
	for _, dir := range []string{"", "train/", "photos/train/"} {
		d := mustOpen(t, unpack(t, pictures(t, dir+"rose/1.png", dir+"rose/2.png")...), Ref{})
		if !slices.Equal(d.Classes, []string{"rose"}) || !strings.Contains(strings.Join(d.Warnings, ""), "rose is the only class") {
			t.Errorf("%q: %+v", dir, d.Info())
		}
	}
	for _, dir := range []string{"", "images/", "flat/"} {
		d := mustOpen(t, writeFile(t, "flat.zip", zipped(t, pictures(t, dir+"1.png", dir+"2.png")...)), Ref{})
		if !slices.Equal(d.Classes, []string{unlabelled}) || !slices.Equal(d.Splits, []string{Train}) {
			t.Errorf("%q: %+v", dir, d.Info())
		}
	}
}

// TestNamesOfArchives: ./ and / before a name are nothing, what is no UTF-8 is told, and
// what leads out is refused; see TestZipAttacks.
func TestNamesOfArchives(t *testing.T) {
	list := pictures(t, "./train/a/0.png", "/train/b/1.png", "train//a/./2.png", `train\b\3.png`)
	want := []string{"train a train/a/0.png", "train a train/a/2.png", "train b train/b/1.png", "train b train/b/3.png"}
	for name, path := range map[string]string{"zip": writeFile(t, "x.zip", zipped(t, list...)), "tar": writeFile(t, "x.tar", tarred(t, list...))} {
		if got := placed(mustOpen(t, path, Ref{Verify: true})); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	list = append(list, pictures(t, "train/caf\xe9/4.png")...)
	for _, path := range []string{writeFile(t, "x.zip", zipped(t, list...)), writeFile(t, "x.tar", tarred(t, list...)), unpack(t, list...)} {
		_, err := Open(context.Background(), Ref{Path: path}, nil)
		wantError(t, err, path, `caf\xe9`, "not UTF-8")
		d := mustOpen(t, path, Ref{SkipBad: true})
		if len(d.Bad) == 0 || !slices.Equal(d.Classes, []string{"a", "b"}) {
			t.Errorf("%s: %+v", path, d.Info())
		}
	}
	_, err := Open(context.Background(), Ref{Path: writeFile(t, "x.tar", tarred(t, append(list, member{name: "../x.png"})...))}, nil)
	wantError(t, err, "../x.png", "outside the archive")
}

// TestSplitOf are names as they are found.
func TestSplitOf(t *testing.T) {
	for name, want := range map[string]string{
		"train": "train/", "TRAIN": "train/", "Training": "train/", "training_set": "train/", "trainset": "train/", "TrainImages": "train/",
		"val": "val/", "valid": "val/", "Validation-Data": "val/", "dev": "val/", "test": "test/", "Testing": "test/", "test_images": "test/",
		"PublicTest": "public-test/", "public_test": "public-test/", "private-test": "private-test/", "PRIVATETEST": "private-test/",
		"seg_train": "train/seg", "train2017": "train/2017", "train-00000-of-00002": "train/00000 of 00002", "flowers test": "test/flowers",
		"rose": "", "trains": "", "images": "", "train_test": "", "contest": "",
	} {
		got := ""
		if split, rest, ok := splitOf(name); ok {
			got = split + "/" + rest
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
