package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
)

func mustConvert(t *testing.T, d *Dataset, out string) string {
	t.Helper()
	if err := Convert(context.Background(), d, out, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// CSV to folder to CSV gives the same bytes, whatever the order of the splits
// and classes in it.
func TestConvertRoundTrip(t *testing.T) {
	rows := testRows(1, 40)
	text := csvText(rows)
	d := mustOpen(t, writeFile(t, "fer2013.csv", []byte(text)), Ref{})
	folder := mustConvert(t, d, filepath.Join(t.TempDir(), "new", "faces"))
	votes := writeFile(t, "votes.csv", []byte(votesText(rows)))
	faces := mustOpen(t, folder, Ref{Verify: true, FERPlus: votes})
	checkRows(t, faces, rows)
	if faces.Kind != "fer2013-folder" || faces.Samples[7].ID != "test/angry/PrivateTest_00007.png" || !slices.Equal(faces.Samples[7].Votes, votesOf(7)) {
		t.Errorf("kind %s, sample 7 is %+v", faces.Kind, faces.Samples[7])
	}
	for _, name := range []string{"again.csv", "again.csv.gz"} {
		again := mustConvert(t, faces, filepath.Join(t.TempDir(), name))
		back := mustOpen(t, again, Ref{})
		checkRows(t, back, rows)
		if fingerprint(t, back) != fingerprint(t, d) {
			t.Errorf("%s: fingerprint changed", name)
		}
		if data, err := os.ReadFile(again); name == "again.csv" && (err != nil || string(data) != text) {
			t.Errorf("CSV changed on its way through a folder: %v", err)
		}
	}
}

// After a power cut a converted folder is whole or not there: every file is on the disk before the folder has its name.
func TestConvertSyncs(t *testing.T) {
	d := mustOpen(t, writeFile(t, "fer2013.csv", []byte(csvText(testRows(1, 40)))), Ref{})
	out := filepath.Join(t.TempDir(), "faces")
	var synced atomic.Int64
	sync := syncFile
	t.Cleanup(func() { syncFile = sync })
	syncFile = func(name string) error {
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: synced when the folder had its name", name)
		}
		synced.Add(1)
		return sync(name)
	}
	mustConvert(t, d, out)
	if n := int(synced.Load()); n != len(d.Samples) {
		t.Errorf("%d of %d files were synced", n, len(d.Samples))
	}
}

func TestConvertGeneric(t *testing.T) {
	d := mustOpen(t, writeFile(t, "animals.zip", zipped(t, append(animals(t),
		member{name: "train/cat/a.jpg", data: pngText(t, 77, 3, 4, 4)})...)), Ref{})
	out := t.TempDir() // an empty folder may be there already
	got := mustOpen(t, mustConvert(t, d, out), Ref{Verify: true})
	if !slices.Equal(got.Classes, d.Classes) || len(got.Samples) != len(d.Samples) {
		t.Fatalf("classes %v, %d samples", got.Classes, len(got.Samples))
	}
	for i := range d.Samples {
		a, errA := d.Image(t.Context(), i)
		b, errB := got.Image(t.Context(), i)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if a.C != b.C || a.H != b.H || !slices.Equal(a.Pix, b.Pix) || d.Samples[i].Label != got.Samples[i].Label || d.Samples[i].Split != got.Samples[i].Split {
			t.Errorf("%s became %s and differs", d.Samples[i].ID, got.Samples[i].ID)
		}
	}
	err := Convert(context.Background(), d, filepath.Join(t.TempDir(), "x.csv"), nil)
	wantError(t, err, "ape, cat, dog", "folder instead")
}

func TestConvertRefuses(t *testing.T) {
	d := mustOpen(t, SyntheticPath, Ref{PerClass: 1})
	full := unpack(t, member{name: "kept.txt", data: "mine"})
	for out, want := range map[string]string{
		full:                                 "is not empty (it holds kept.txt",
		filepath.Join(full, "kept.txt"):      "no folder",
		filepath.Join(full, "x.zip"):         "cannot write .zip",
		filepath.Join(full, "x.tar.gz"):      "cannot write .gz",
		filepath.Join(full, "kept.txt", "y"): "kept.txt",
	} {
		wantError(t, Convert(context.Background(), d, out, nil), want)
	}
	dir := filepath.Join(full, "dir.csv")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	wantError(t, Convert(context.Background(), d, dir, nil), "is a folder")
	own := filepath.Join(t.TempDir(), "own.csv")
	if err := Convert(context.Background(), d, own, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, Convert(context.Background(), mustOpen(t, own, Ref{}), own, nil), "what the set is read from")
	if data, err := os.ReadFile(filepath.Join(full, "kept.txt")); err != nil || string(data) != "mine" {
		t.Errorf("kept.txt: %q, %v", data, err)
	}
}

// A conversion that is stopped, or meets a bad image, leaves nothing behind.
func TestConvertLeavesNothing(t *testing.T) {
	whole := mustOpen(t, SyntheticPath, Ref{PerClass: 1})
	broken := mustOpen(t, unpack(t, append(animals(t), member{name: "test/dog/x.png", data: "no image"})...), Ref{})
	for out, d := range map[string]*Dataset{"faces": whole, "faces.csv": whole, "animals": broken} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stop := func(done, total int64) {
			if d == whole && done == 3 {
				cancel()
			}
		}
		if err := Convert(ctx, d, filepath.Join(dir, out), stop); err == nil {
			t.Errorf("%s: no error", out)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", out, left, err)
		}
	}
}
