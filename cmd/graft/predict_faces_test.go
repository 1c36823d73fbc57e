package main

import (
	"bytes"
	"encoding/csv"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/pretrained/detect/detecttest"
)

// writeTurned writes a JPEG whose EXIF says that it is upright only after a quarter turn clockwise.
func writeTurned(t *testing.T, path string, im preprocess.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im.ToImage(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	data := slices.Concat(b.Bytes()[:2], []byte(exif), b.Bytes()[2:])
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkFaces finds the faces of photographs in every form of answer; boxes are in pixels of the upright photograph.
func checkFaces(t *testing.T, dir, run string) {
	t.Helper()
	photos := filepath.Join(dir, "photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	writeTurned(t, filepath.Join(photos, "1.jpg"), detecttest.Photograph(64, 96, [2]int{0, 0})) // upright 64 across, the face at 32,0
	writeTurned(t, filepath.Join(photos, "2.jpg"), detecttest.Photograph(40, 50))
	predict := []string{"predict", run, photos, "--faces", "--face-model", detecttest.Write(t, dir), "--provider", "go", "--top", "2"}
	text := must(t, predict...)
	for _, want := range []string{"1.jpg: face at 32,0 of 32×32 pixels, score 1.00: ", "%\n  right eye 48,16; left eye 48,16; nose 48,16; ", "2.jpg: no face\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("predict --faces printed\n%swithout %q", text, want)
		}
	}
	table, lines := filepath.Join(dir, "faces.csv"), filepath.Join(dir, "faces.jsonl")
	out := must(t, append(predict, "--csv", table, "--jsonl", lines, "--json", "-")...)
	list := decode[[]model.Prediction](t, out)
	if len(list) != 2 || list[0].Face == nil || list[0].Face.X != 32 || len(list[0].Scores) != 2 || list[1].Face != nil || list[1].Label != model.NoFace {
		t.Errorf("--json has %s", out)
	}
	if data, err := os.ReadFile(lines); err != nil || strings.Count(string(data), "\n") != 2 || strings.Count(string(data), `"face":{"x":32,"y":0,"width":32,"height":32,"score":0.99`) != 1 {
		t.Errorf("--jsonl has %s (%v)", data, err)
	}
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("--csv has %s (%v)", data, err)
	}
	at := slices.Index(rows[0], "face_x")
	if rows[0][len(rows[0])-1] != "error" || rows[0][at+5] != "right_eye_x" || rows[1][at] != "32" || rows[1][at+6] != "16" || rows[2][at] != "" || rows[2][1] != model.NoFace {
		t.Errorf("--csv has %q", rows)
	}
}
