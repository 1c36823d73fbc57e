package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func TestSelect(t *testing.T) {
	d := mustOpen(t, writeFile(t, "fer2013.csv", []byte(csvText(testRows(1, 50)))), Ref{})
	all, err := d.Select(nil, 0)
	if err != nil || len(all) != 50 || !slices.IsSorted(all) {
		t.Fatalf("all: %v, %v", all, err)
	}
	test, err := d.Select([]string{"public-test", "private-test"}, 4)
	if err != nil || len(test) != 8 || !slices.IsSorted(test) {
		t.Fatalf("four of each test split: %v, %v", test, err)
	}
	for _, i := range test {
		if d.Samples[i].Split == "train" {
			t.Errorf("sample %d belongs to train", i)
		}
	}
	if twice, err := d.Select([]string{"train", "train"}, 3); err != nil || len(twice) != 3 {
		t.Errorf("a split named twice: %v, %v", twice, err)
	}
	_, err = d.Select([]string{"val"}, 0)
	wantError(t, err, `no split "val"`, "train, public-test, private-test")
	_, err = d.Select(nil, -1)
	wantError(t, err, "negative")
}

// A limit on a folder, sorted by class, still reaches every class.
func TestSelectSpreads(t *testing.T) {
	d := &Dataset{Classes: []string{"a", "b", "c"}, Splits: []string{"train"}}
	for i := range 300 {
		d.Samples = append(d.Samples, Sample{Split: "train", Label: i / 100})
	}
	got, err := d.Select(nil, 9)
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{}
	for _, i := range got {
		count[d.Samples[i].Label]++
	}
	if count[0] != 3 || count[1] != 3 || count[2] != 3 {
		t.Errorf("%v holds %v images by class, want three each", got, count)
	}
}

// Nor do classes that take turns fall in step with a limit.
func TestSelectOfTurns(t *testing.T) {
	d := &Dataset{Classes: []string{"a", "b"}, Splits: []string{"train"}}
	for i := range 200 {
		d.Samples = append(d.Samples, Sample{Split: "train", Label: i % 2})
	}
	for _, limit := range []int{20, 50, 100} {
		got, err := d.Select(nil, limit)
		again, _ := d.Select(nil, limit)
		if err != nil || len(got) != limit || !slices.IsSorted(got) || !slices.Equal(got, again) {
			t.Fatalf("limit %d: %v, then %v, %v", limit, got, again, err)
		}
		ones := 0
		for _, i := range got {
			ones += d.Samples[i].Label
		}
		if ones < limit/4 || ones > limit-limit/4 {
			t.Errorf("limit %d: %d of class b", limit, ones)
		}
	}
}

func TestInfoJSON(t *testing.T) {
	d := mustOpen(t, SyntheticPath, Ref{PerClass: 32})
	data, err := json.Marshal(d.Info())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Splits map[string]struct {
			Total   int
			Classes map[string]int
		}
		Bad, Warnings []any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Splits["train"]; s.Total != 224 || s.Classes["angry"] != 32 || len(s.Classes) != 7 {
		t.Errorf("train is %+v", s)
	}
	if s := got.Splits["private-test"]; s.Total != 28 || s.Classes["neutral"] != 4 {
		t.Errorf("private-test is %+v", s)
	}
	if got.Bad == nil || got.Warnings == nil {
		t.Error("empty lists are null")
	}
}

// TestFingerprintEnds wants a run that is stopped not to read the whole set first.
func TestFingerprintEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := mustOpen(t, SyntheticPath, Ref{PerClass: 1})
	if _, err := d.Fingerprint(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Fingerprint after a cancel: %v", err)
	}
}

func TestClosed(t *testing.T) {
	d := mustOpen(t, SyntheticPath, Ref{PerClass: 1})
	if _, err := d.Image(t.Context(), len(d.Samples)); err == nil {
		t.Error("an image beyond the end gave no error")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Image(t.Context(), 0); !errors.Is(err, errClosed) {
		t.Errorf("Image after Close: %v", err)
	}
	if _, err := d.Fingerprint(context.Background()); !errors.Is(err, errClosed) {
		t.Errorf("Fingerprint after Close: %v", err)
	}
}

// More training faces leave the test faces as they are; another seed changes
// all.
func TestSyntheticSplitsAreIndependent(t *testing.T) {
	a := mustOpen(t, SyntheticPath, Ref{Seed: 1, PerClass: 8})
	b := mustOpen(t, SyntheticPath, Ref{Seed: 1, PerClass: 16})
	c := mustOpen(t, SyntheticPath, Ref{Seed: 2, PerClass: 8})
	first := func(d *Dataset, split string) []uint8 {
		idx, err := d.Select([]string{split}, 0)
		if err != nil {
			t.Fatal(err)
		}
		im, err := d.Image(t.Context(), idx[5])
		if err != nil {
			t.Fatal(err)
		}
		return im.Pix
	}
	for _, split := range FERSplits {
		if !slices.Equal(first(a, split), first(b, split)) {
			t.Errorf("%s changed with the number of training faces", split)
		}
		if slices.Equal(first(a, split), first(c, split)) {
			t.Errorf("%s does not depend on the seed", split)
		}
	}
	if slices.Equal(first(a, "public-test"), first(a, "private-test")) {
		t.Error("the test splits hold the same faces")
	}
	if _, err := Open(t.Context(), Ref{Path: SyntheticPath, PerClass: maxPerClass + 1}, nil); err == nil {
		t.Error("too many faces a class gave no error")
	}
}
