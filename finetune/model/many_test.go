package model

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/detect"
	"graft/pretrained/detect/detecttest"
)

// middle is a classifier whose first logit is an image's middle pixel over 100, the others 0: it tells images apart.
type middle int

func (middle) Prepare(im preprocess.Image) preprocess.Image { return im }

func (m middle) Classify(_ context.Context, images []preprocess.Image, logits []float32) error {
	for i, im := range images {
		logits[i*int(m)] = float32(im.Pix[len(im.Pix)/2]) / 100
	}
	return nil
}

func (middle) BatchSize() int { return 3 }

func (middle) Close() error { return nil }

// pictured are the predictions of all that paths lead to.
func pictured(t *testing.T, p *Predictor, stdin io.Reader, threshold float64, paths ...string) []Prediction {
	t.Helper()
	pictures, err := OpenPictures(t.Context(), paths, stdin, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pictures.Close()
	var list []Prediction
	if err := p.Each(t.Context(), pictures.List, EachOptions{Threshold: threshold}, func(one []Prediction) error { list = append(list, one...); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestEach: of many pictures, in batches, each gets in its order what it gets alone, and those that cannot be read do not stop the rest.
func TestEach(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range 11 {
		paths = append(paths, writePNG(t, dir, fmt.Sprintf("%02d.png", i)))
	}
	text, empty, missing := filepath.Join(dir, "text.jpg"), filepath.Join(t.TempDir(), "empty"), filepath.Join(dir, "missing.png")
	if err := errors.Join(os.WriteFile(text, []byte("\x00 no image"), 0o644), os.Mkdir(empty, 0o755)); err != nil {
		t.Fatal(err)
	}
	paths[1], paths[4], paths[7] = text, empty, missing
	p := &Predictor{labels: []string{"a", "b", "c"}, temperature: 2, Classifier: middle(3)}
	list := pictured(t, p, nil, 0, paths...)
	if len(list) != len(paths) {
		t.Fatalf("%d predictions of %d paths", len(list), len(paths))
	}
	for i, one := range list {
		if i == 1 || i == 4 || i == 7 {
			if one.Label != "" || !strings.Contains(one.Error, paths[i]) {
				t.Errorf("prediction %+v, want an error that names %s", one, paths[i])
			}
			continue
		}
		alone, err := p.File(t.Context(), paths[i])
		if err != nil || fmt.Sprint(one) != fmt.Sprint(alone) {
			t.Errorf("among others %+v, alone %+v (%v)", one, alone, err)
		}
	}
}

// TestUnsure: a label is given where its probability reaches the threshold.
func TestUnsure(t *testing.T) {
	path := writePNG(t, t.TempDir(), "a.png")
	p := &Predictor{labels: []string{"a", "b", "c"}, temperature: 1, Classifier: fixed{0, float32(math.Ln2), 0}}
	for threshold, want := range map[float64]string{0: "b", 0.4999: "b", 0.51: Unsure} {
		if one := pictured(t, p, nil, threshold, path)[0]; one.Label != want || one.Scores[0].Label != "b" {
			t.Errorf("at %g %+v, want %s", threshold, one, want)
		}
	}
}

// TestNoNumbers: logits that are no numbers give an error, not the label that happens to come first.
func TestNoNumbers(t *testing.T) {
	path, nan := writePNG(t, t.TempDir(), "a.png"), float32(math.NaN())
	p := &Predictor{labels: []string{"a", "b", "c"}, temperature: 1, Classifier: fixed{0, nan, 0}}
	if one := pictured(t, p, nil, 0, path)[0]; one.Label != "" || one.Scores != nil || !strings.Contains(one.Error, "not finite") {
		t.Errorf("among others %+v", one)
	}
	if one, err := p.File(t.Context(), path); err == nil || one.Label != "" {
		t.Errorf("alone %+v (%v)", one, err)
	}
}

// TestFaces: each face of a picture is classified, cut out of it; a picture without one is told as that.
func TestFaces(t *testing.T) {
	faces, err := detect.Open(t.Context(), detecttest.Write(t, t.TempDir()), detect.Options{Runtime: session.Options{Provider: session.Go}})
	if err != nil {
		t.Fatal(err)
	}
	defer faces.Close()
	of := func(name string, im preprocess.Image, err error) Picture {
		return Picture{name, func(context.Context) (preprocess.Image, error) { return im, err }}
	}
	p := &Predictor{labels: []string{"a", "b", "c"}, temperature: 1, Classifier: middle(3)} // white is 2.55 to 0, 0
	var list []Prediction
	err = p.Each(t.Context(), []Picture{
		of("two", detecttest.Photograph(96, 96, [2]int{0, 0}, [2]int{2, 1}), nil), of("none", detecttest.Photograph(50, 60), nil),
		of("bad", preprocess.Image{}, errors.New("bad is cut short")), of("one", detecttest.Photograph(64, 64, [2]int{1, 1}), nil),
	}, EachOptions{Threshold: 0.5, Faces: faces}, func(one []Prediction) error { list = append(list, one...); return nil })
	if err != nil || len(list) != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, want := range []struct {
		name, label string
		x, y        float32
	}{{"two", "a", 0, 0}, {"two", "a", 64, 32}, {"none", NoFace, -1, -1}, {"bad", "", -1, -1}, {"one", "a", 32, 32}} {
		l := list[i]
		if l.Image != want.name || l.Label != want.label || (l.Face != nil) != (want.x >= 0) || (l.Scores != nil) != (want.x >= 0) || (l.Error != "") != (want.label == "") {
			t.Errorf("%d: %+v, want %+v", i, l, want)
		} else if l.Face != nil && (l.Face.X != want.x || l.Face.Y != want.y || !(l.Scores[0].Probability > 0.8)) {
			t.Errorf("%d: %+v of %+v, want %+v", i, *l.Face, l, want)
		}
	}
}

// TestPictures: sets of images stand beside files, and standard input holds an image or paths.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"cat", "dog"} {
		if err := os.MkdirAll(filepath.Join(dir, "photos", class), 0o755); err != nil {
			t.Fatal(err)
		}
		writePNG(t, filepath.Join(dir, "photos", class), "1.png")
	}
	one := writePNG(t, dir, "one.png")
	data, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "more.zip")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("x.png")
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, z.Close(), os.WriteFile(archive, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	p := &Predictor{labels: []string{"a", "b"}, temperature: 1, Classifier: middle(2)}
	photos := filepath.Join(dir, "photos")
	for name, c := range map[string]struct {
		stdin string
		paths []string
		want  []string
	}{
		"a file, a folder and an archive": {"", []string{one, photos, archive}, []string{one, photos + ": cat/1.png", photos + ": dog/1.png", archive + ": x.png"}},
		"an image on standard input":      {string(data), []string{"-", one}, []string{"-", one}},
		"paths on standard input":         {one + "\n\n" + photos + "\r\n", []string{"-"}, []string{one, photos + ": cat/1.png", photos + ": dog/1.png"}},
		"a drawn set":                     {"", []string{"synthetic"}, nil},
	} {
		list := pictured(t, p, strings.NewReader(c.stdin), 0, c.paths...)
		if c.want == nil {
			if len(list) < 1000 || list[0].Error != "" {
				t.Errorf("%s: %d predictions, the first %+v", name, len(list), list[0])
			}
			continue
		}
		var got []string
		for _, one := range list {
			got = append(got, one.Image)
			if one.Error != "" {
				t.Errorf("%s: %s", name, one.Error)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestEachStopsWhenInterrupted: no answer is given for less than all that was asked, without an error.
func TestEachStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &Predictor{labels: []string{"a", "b"}, temperature: 1, Classifier: fixed{0.5, 0.5}}
	picture := Picture{"x", func(context.Context) (preprocess.Image, error) { return preprocess.New(1, 2, 2), nil }}
	if err := p.Each(ctx, []Picture{picture}, EachOptions{}, func([]Prediction) error { return nil }); err != context.Canceled {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
