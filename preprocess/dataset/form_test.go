package dataset

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"

	"graft/preprocess"
)

// pairForm is a form that this package does not know: two gray images of 1×1 after
// the word PAIR. It is all that a form needs.
type pairForm struct{ ofPixels }

type pairSource []byte

func (s pairSource) image(_ context.Context, i int) (preprocess.Image, error) {
	return preprocess.Image{C: 1, H: 1, W: 1, Pix: s[i : i+1]}, nil
}
func (s pairSource) keep([]int)   {}
func (s pairSource) Close() error { return nil }

func (pairForm) sniff(in *input) bool { return bytes.HasPrefix(in.head, []byte("PAIR")) }

func (pairForm) open(_ context.Context, d *Dataset, in *input) error {
	d.Kind, d.Classes, d.Splits, d.src = "pair", []string{"a", "b"}, []string{Train, Test}, pairSource(in.head[4:])
	d.Samples = []Sample{{ID: "left", Split: Train}, {ID: "right", Split: Test, Label: 1}}
	return nil
}

// TestANewFormIsOneEntry: what is not in a form's file does not ask which form it is.
func TestANewFormIsOneEntry(t *testing.T) {
	defer func(before []form) { forms = before }(forms)
	forms = append([]form{pairForm{}}, forms...)
	path := writeFile(t, "two.bin", []byte("PAIR\x07\x09"))
	d := mustOpen(t, path, Ref{})
	packed := mustOpen(t, writeFile(t, "two.gz", gzipped(t, []byte("PAIR\x07\x09"))), Ref{Verify: true})
	other := mustOpen(t, writeFile(t, "other.bin", []byte("PAIR\x07\x08")), Ref{SkipBad: true})
	if d.Kind != "pair" || d.Name() != "two.bin" || d.Photos() || len(d.Warnings) != 0 || fingerprint(t, d) != fingerprint(t, packed) || fingerprint(t, d) == fingerprint(t, other) {
		t.Errorf("%+v, %+v", d.Info(), packed.Info())
	}
	out := filepath.Join(t.TempDir(), "folder")
	if err := Convert(context.Background(), d, out, nil); err != nil {
		t.Fatal(err)
	}
	back := mustOpen(t, out, Ref{})
	im, err := back.Image(t.Context(), 1)
	if err != nil || !slices.Equal(im.Pix, []byte{9}) || !slices.Equal(back.Splits, d.Splits) {
		t.Errorf("%v, %v, splits %v", im, err, back.Splits)
	}
}

// TestClassNamesAreKept: classes are called what their folders and labels are.
func TestClassNamesAreKept(t *testing.T) {
	want := []string{"Cat", "cat", "iPhone", "Übung"}
	var members []member
	list := "path,label\n"
	for i, class := range want {
		name := "train/" + class + "/x.png"
		members = append(members, member{name: name, data: pngText(t, uint64(i), 1, 2, 2)})
		list += name + "," + class + "\n"
	}
	for form, path := range map[string]string{
		"zip":  writeFile(t, "a.zip", zipped(t, members...)),
		"list": ListPrefix + writeFile(t, "list.csv", []byte(list)),
	} {
		d := mustOpen(t, path, Ref{})
		if !slices.Equal(d.Classes, want) {
			t.Errorf("%s: classes %q, want %q", form, d.Classes, want)
		}
		for i, s := range d.Samples {
			if s.Label != i {
				t.Errorf("%s: %s has label %d, want %d", form, s.ID, s.Label, i)
			}
		}
	}
}
