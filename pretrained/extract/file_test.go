package extract_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"graft/onnx/session"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// fileRow is what others read of a file.
type fileRow struct {
	Index    int64     `parquet:"index"`
	ID       string    `parquet:"id"`
	Split    string    `parquet:"split"`
	Label    int32     `parquet:"label"`
	Key      string    `parquet:"content_key"`
	Features []float32 `parquet:"features,list"`
}

// TestFile: the features of a parquet file are a store's, and what is broken off goes on to the same bytes.
func TestFile(t *testing.T) {
	ctx := context.Background()
	data := faces(t, 40)
	dir := t.TempDir()
	config := func(b *fake, out string) extract.Config {
		return extract.Config{Data: data, Backbone: b, Out: filepath.Join(dir, out), Taps: []string{"cls,mean"}, ShardRows: 16}
	}
	whole := config(&fake{}, "whole.parquet")
	sum, err := extract.File(ctx, whole, nil)
	if err != nil || sum.Rows != 40 || sum.Store != whole.Out {
		t.Fatalf("%+v, %v", sum, err)
	}
	rows, err := parquet.ReadFile[fileRow](whole.Out)
	if err != nil || len(rows) != 40 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		im, err := data.Image(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		want := append(features(im, 2), features(im, 3)...)
		s := data.Samples[i]
		if !reflect.DeepEqual(r.Features, want) || r.ID != s.ID || r.Split != s.Split || int(r.Label) != s.Label || len(r.Key) != 32 {
			t.Fatalf("row %d: %+v, want %v of %+v", i, r, want, s)
		}
	}
	info, n, err := store.ReadFileInfo(whole.Out)
	if err != nil || n != 40 || info.Backbone.SHA256 != (&fake{}).Hash() || len(info.Taps) != 2 || info.Taps[1].Dim != 3 || len(info.Classes) != 7 {
		t.Errorf("it says %+v, %d rows, %v", info, n, err)
	}

	broken := config(&fake{fail: func(batch int) error {
		if batch > 4 {
			return errors.New("no current")
		}
		return nil
	}}, "broken.parquet")
	if _, err := extract.File(ctx, broken, nil); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(broken.Out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file of an unfinished run: %v", err)
	}
	again := config(&fake{}, "broken.parquet")
	if sum, err = extract.File(ctx, again, nil); err != nil || sum.Resumed == 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	sameBytes(t, whole.Out, again.Out)
	for _, left := range []string{extract.Unfinished(again.Out), again.Out + ".lock"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left", left)
		}
	}
}

func sameBytes(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := os.ReadFile(b); err != nil || !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ (%v)", a, b, err)
	}
}

type upgradedRuntime struct{ *fake }

func (upgradedRuntime) RuntimeVersion() string { return "9.9.9" }

// TestFileIsThereAlready: the same call again computes nothing, another one replaces nothing.
func TestFileIsThereAlready(t *testing.T) {
	ctx := context.Background()
	b := &fake{}
	c := extract.Config{Data: faces(t, 6), Backbone: b, Out: filepath.Join(t.TempDir(), "e.parquet"), Taps: []string{"cls"}}
	if _, err := extract.File(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	before := b.batches.Load()
	if sum, err := extract.File(ctx, c, nil); err != nil || sum.Rows != 6 || b.batches.Load() != before {
		t.Errorf("%+v, %v, %d batches more", sum, err, b.batches.Load()-before)
	}
	if p, err := extract.Provider(c.Out, session.Auto); err != nil || p != session.CPU {
		t.Errorf("provider auto where the file is there: %q, %v", p, err)
	}
	upgraded := c
	upgraded.Backbone = upgradedRuntime{b}
	if sum, err := extract.File(ctx, upgraded, nil); err != nil || sum.Rows != 6 || b.batches.Load() != before {
		t.Errorf("another ONNX Runtime: %+v, %v", sum, err)
	}
	other := c
	other.Taps = []string{"mean"}
	if _, err := extract.File(ctx, other, nil); err == nil || !strings.Contains(err.Error(), "another taps") {
		t.Errorf("other taps: %v", err)
	}
	if err := os.WriteFile(c.Out, []byte("a note"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := extract.File(ctx, c, nil); err == nil || !strings.Contains(err.Error(), "choose another --out") {
		t.Errorf("a file of another kind: %v", err)
	}
	for name, change := range map[string]func(*extract.Config){
		"mirrored":   func(c *extract.Config) { c.Flip = true },
		"parts":      func(c *extract.Config) { c.Part = store.Part{I: 0, N: 2} },
		"float16":    func(c *extract.Config) { c.DType = "float16" },
		"no vector":  func(c *extract.Config) { c.Taps = []string{"tokens_1"} },
		"in a store": func(c *extract.Config) { c.Views = store.Views{Count: 2} },
	} {
		refused := c
		refused.Out = filepath.Join(t.TempDir(), "no.parquet")
		change(&refused)
		if _, err := extract.File(ctx, refused, nil); err == nil || name != "no vector" && !strings.Contains(err.Error(), extract.FileHolds) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
