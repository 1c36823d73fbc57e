package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"graft/finetune/judge"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/finetune/run"
	"graft/onnx/ort/orttest"
	"graft/preprocess/dataset"
	"graft/pretrained/vit/vittest"
)

// graft runs the program and returns its exit status and standard output.
func graft(t *testing.T, ctx context.Context, args ...string) (int, string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	text := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, r)
		text <- b.String()
	}()
	code := runArgs(ctx, append([]string{"graft"}, args...))
	w.Close()
	return code, <-text
}

// must is graft for what has to work.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out := graft(t, context.Background(), args...)
	if code != exitDone {
		t.Fatalf("graft %s: exit status %d, want %d", strings.Join(args, " "), code, exitDone)
	}
	return out
}

// decode reads what --json - wrote, which must be all of standard output.
func decode[T any](t *testing.T, out string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("standard output is no JSON: %v\n%s", err, out)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("standard output holds more than JSON:\n%s", out)
	}
	checkSchema(t, "standard output", []byte(out))
	return v
}

// facePNG writes one synthetic face as a file.
func facePNG(t *testing.T, path string) {
	t.Helper()
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: "synthetic", PerClass: 4, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	im, err := d.Image(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, im.ToImage()); err != nil {
		t.Fatal(err)
	}
}

func TestMainJob(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	model := vittest.WriteTiny(t, dir)
	must(t, "extract", "--data", "synthetic", "--per-class", "16", "--model", model, "--out", at("embeddings"), "--taps", "all",
		"--flip", "--provider", "cpu")
	reports := decode[[]metrics.Report](t, must(t, "train", "head", "--embeddings", at("embeddings"), "--taps", "cls,mean_1",
		"--use-flip", "--out", at("run"), "--json", "-"))
	if len(reports) != 2 || reports[0].Split != "public-test" || reports[0].Total != 28 || len(reports[0].Classes) != 7 {
		t.Errorf("train wrote %+v, want reports of 28 faces of both test splits", reports)
	}
	again := decode[[]metrics.Report](t, must(t, "eval", at("run"), "--split", "private-test,train", "--json", "-"))
	if len(again) != 2 || again[0].Split != "private-test" || again[0].Loss != reports[1].Loss || again[1].Total != 112 {
		t.Errorf("eval wrote %+v, want private-test as in training and 112 faces of train", again)
	}
	for _, want := range []string{"happy:", "95% interval", "note: No pretrained weights were used", "true \\ predicted"} {
		if out := must(t, "eval", at("run"), "--confusion"); !strings.Contains(out, want) {
			t.Errorf("eval printed no %q:\n%s", want, out)
		}
	}
	c, err := run.ReadConfig(at("run"))
	if err != nil || !strings.HasPrefix(c.Command, "graft train head --embeddings "+at("embeddings")+" --taps cls,mean_1") {
		t.Errorf("the run says that it was made by %q (%v)", c.Command, err)
	}
	checkShipping(t, dir)
	checkStraight(t, dir, reports)
	checkNearest(t, at("embeddings"))
	checkSearch(t, dir)
	checkSchemas(t, dir, model)
	checkStatuses(t, dir)
}

// checkShipping exports the run and compares its predictions with the file's.
func checkShipping(t *testing.T, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	face := at("face.png")
	facePNG(t, face)
	must(t, "export", at("run"), "--out", at("whole.onnx"))
	a := decode[[]model.Prediction](t, must(t, "predict", at("run"), face, "--top", "0", "--provider", "cpu", "--json", "-"))
	b := decode[[]model.Prediction](t, must(t, "predict", at("whole.onnx"), face, "--top", "0", "--provider", "cpu", "--json", "-"))
	if len(a) != 1 || len(b) != 1 || len(a[0].Scores) != 7 || len(b[0].Scores) != 7 {
		t.Fatalf("predictions %+v and %+v, want one of seven classes each", a, b)
	}
	of := map[string]float32{}
	for _, s := range a[0].Scores {
		of[s.Label] = s.Probability
	}
	for _, s := range b[0].Scores {
		if d := float64(s.Probability - of[s.Label]); !(d <= 1e-4 && d >= -1e-4) {
			t.Errorf("%s: %g in the file, %g in the pipeline", s.Label, s.Probability, of[s.Label])
		}
	}
	if out := must(t, "predict", at("whole.onnx"), face, "--top", "2", "--provider", "cpu"); !strings.HasPrefix(out, face+": ") || strings.Count(out, "%") != 2 {
		t.Errorf("predict printed %q, want the file and two classes", out)
	}
	checkAnswers(t, at, face, a[0])
}

// checkAnswers compares the files that predict writes of a list of many images with what it says of one.
func checkAnswers(t *testing.T, at func(string) string, face string, alone model.Prediction) {
	t.Helper()
	if err := os.WriteFile(at("faces.csv"), []byte("face.png\nface.png\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	must(t, "predict", at("whole.onnx"), "list:"+at("faces.csv"), face, "--csv", at("answers.csv"), "--jsonl", at("answers.jsonl"), "--top", "1", "--provider", "cpu")
	data, err := os.ReadFile(at("answers.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(rows) != 4 || len(rows[0]) != 3+7+1 {
		t.Fatalf("rows %q (%v), want a head of 11 columns and three answers", rows, err)
	}
	for _, row := range rows[1:] {
		p, err := strconv.ParseFloat(row[2], 32)
		if err != nil || row[1] != alone.Label || math.Abs(p-float64(alone.Scores[0].Probability)) > 1e-4 || row[10] != "" {
			t.Errorf("row %q, want %s with %g", row, alone.Label, alone.Scores[0].Probability)
		}
	}
	data, err = os.ReadFile(at("answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var one model.Prediction
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &one); err != nil || len(lines) != 3 || one.Image != face || one.Label != alone.Label || len(one.Scores) != 1 {
		t.Errorf("%d lines, the last %+v (%v)", len(lines), one, err)
	}
}

// checkStraight judges the run, and the file made of it, straight from images.
func checkStraight(t *testing.T, dir string, want []metrics.Report) {
	t.Helper()
	data := []string{"--data", "synthetic", "--per-class", "16", "--split", "public-test,private-test", "--provider", "cpu", "--json", "-"}
	for _, model := range []string{"run", "whole.onnx"} {
		got := decode[[]metrics.Report](t, must(t, append([]string{"eval", filepath.Join(dir, model)}, data...)...))
		if len(got) != len(want) {
			t.Fatalf("%s: %d reports, want %d", model, len(got), len(want))
		}
		for i := range got {
			if d := got[i].Loss - want[i].Loss; !(d <= 1e-4 && d >= -1e-4) || got[i].Total != want[i].Total || got[i].Split != want[i].Split {
				t.Errorf("%s straight from the images: %+v, from the embeddings: %+v", model, got[i], want[i])
			}
		}
	}
}

// checkSearch looks for a face that is in the store: it is found first, of itself, and a foreign backbone is refused.
func checkSearch(t *testing.T, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	found := decode[judge.Found](t, must(t, "embeddings", "search", at("embeddings"), at("face.png"), "--taps", "cls,mean", "--top", "3", "--provider", "cpu", "--json", "-"))
	if len(found.Near) != 3 || found.Rows != 168 || !(found.Near[0].Cosine > 0.99999) || found.Near[0].Index != 0 || !(found.Near[0].Cosine >= found.Near[1].Cosine) {
		t.Errorf("found %+v, want three of 168 rows, the face itself first", found)
	}
	out := must(t, "embeddings", "search", at("embeddings"), at("face.png"), "--top", "2", "--split", "train", "--provider", "cpu")
	if !strings.Contains(out, "nearest of 112 rows") || !strings.Contains(out, "cosine  label") || strings.Count(out, "\n") != 4 || strings.Contains(out, "test") {
		t.Errorf("search printed\n%s", out)
	}
	if code, _ := graft(t, t.Context(), "embeddings", "search", at("embeddings"), at("face.png"), "--model", at("whole.onnx"), "--provider", "cpu"); code != exitFailed {
		t.Errorf("search with another backbone: exit status %d, want %d", code, exitFailed)
	}
}

// checkNearest judges the store by its neighbours.
func checkNearest(t *testing.T, embeddings string) {
	t.Helper()
	for _, args := range []string{"--taps cls", "--vote equal --use-flip --split train,private-test --threads 1"} {
		got := decode[[]metrics.Report](t, must(t, append([]string{"eval", "--knn", "5", "--embeddings", embeddings, "--json", "-"}, strings.Fields(args)...)...))
		for _, r := range got {
			if want := map[string]int{"train": 112}[r.Split]; r.Total != max(28, want) || len(r.Classes) != 7 || !strings.Contains(r.Run, "5 nearest neighbours") {
				t.Errorf("%s: %+v, want all images of seven classes", args, r)
			}
		}
		if want := 1 + strings.Count(args, "train"); len(got) != want {
			t.Errorf("%s: %d reports, want %d", args, len(got), want)
		}
	}
}

func checkStatuses(t *testing.T, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	empty := t.TempDir()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	live := context.Background()
	for _, c := range []struct {
		name string
		ctx  context.Context
		args []string
		want int
	}{
		{"empty folder among the images", live, []string{"predict", at("run"), at("face.png"), empty, "--provider", "cpu"}, exitFailed},
		{"existing run", live, []string{"train", "head", "--embeddings", at("embeddings"), "--out", at("run")}, exitFailed},
		{"no run", live, []string{"eval", at("nothing")}, exitFailed},
		{"unknown split", live, []string{"eval", at("run"), "--split", "exam"}, exitFailed},
		{"idle flags of eval", live, []string{"eval", at("run"), "--seed", "3", "--skip-bad"}, exitUsage},
		{"another backbone", live, []string{"eval", at("run"), "--data", "synthetic", "--model", at("whole.onnx")}, exitFailed},
		{"embeddings and images", live, []string{"eval", at("run"), "--data", "synthetic", "--embeddings", at("embeddings")}, exitUsage},
		{"exported file without images", live, []string{"eval", at("whole.onnx")}, exitUsage},
		{"exported file and taps", live, []string{"eval", at("whole.onnx"), "--data", "synthetic", "--taps", "cls"}, exitUsage},
		{"neighbours and a run", live, []string{"eval", at("run"), "--knn", "5", "--embeddings", at("embeddings")}, exitUsage},
		{"neighbours of nothing", live, []string{"eval", "--knn", "5"}, exitUsage},
		{"no neighbours", live, []string{"eval", "--knn", "0", "--embeddings", at("embeddings")}, exitUsage},
		{"more neighbours than rows", live, []string{"eval", "--knn", "1000", "--embeddings", at("embeddings")}, exitFailed},
		{"unknown vote", live, []string{"eval", "--knn", "5", "--embeddings", at("embeddings"), "--vote", "loud"}, exitUsage},
		{"missing argument", live, []string{"eval"}, exitUsage},
		{"two runs", live, []string{"eval", at("run"), at("run")}, exitUsage},
		{"no image", live, []string{"predict", at("run")}, exitUsage},
		{"two answers in one", live, []string{"predict", at("run"), at("face.png"), "--csv", "-", "--json", "-"}, exitUsage},
		{"answers over the question", live, []string{"predict", at("run"), "list:" + at("faces.csv"), "--csv", at("faces.csv")}, exitUsage},
		{"unknown flag", live, []string{"eval", at("run"), "--spilt", "train"}, exitUsage},
		{"unknown recipe", live, []string{"train", "head", "--embeddings", at("embeddings"), "--out", at("x"), "--recipe", "magic"}, exitUsage},
		{"missing flag", live, []string{"export", at("run")}, exitUsage},
		{"bad number", live, []string{"predict", at("run"), at("face.png"), "--top", "-1"}, exitUsage},
		{"bad batch", live, []string{"extract", "--data", "synthetic", "--model", at("m.onnx"), "--out", at("x"), "--batch", "0"}, exitUsage},
		{"bad limit", live, []string{"extract", "--data", "synthetic", "--model", at("m.onnx"), "--out", at("x"), "--limit", "-1"}, exitUsage},
		{"bad demo", live, []string{"demo", "--per-class", "0"}, exitUsage},
		{"interrupted training", cancelled, []string{"train", "head", "--embeddings", at("embeddings"), "--out", at("x")}, exitInterrupted},
		{"interrupted prediction", cancelled, []string{"predict", at("run"), at("face.png"), "--provider", "cpu"}, exitInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := graft(t, c.ctx, c.args...)
			if code != c.want {
				t.Errorf("exit status %d, want %d; output:\n%s", code, c.want, out)
			}
		})
	}
	err := newApp().RunContext(live, []string{"graft", "eval", "--data", "faces.zip", "--embeddings", "x", "--seed", "3", at("run")})
	if err == nil || !strings.Contains(err.Error(), "no effect: with --data a head") || !strings.Contains(err.Error(), "only the synthetic dataset is drawn") {
		t.Errorf("error %v, want why either flag has no effect", err)
	}
	code, out := graft(t, live, "predict", at("run"), at("face.png"), empty, "--provider", "cpu", "--json", "-")
	if list := decode[[]model.Prediction](t, out); code != exitFailed || len(list) != 2 || list[0].Label == "" || !strings.Contains(list[1].Error, empty) {
		t.Errorf("exit status %d, predictions %+v; want 1, a label, and an error that names the folder", code, list)
	}
}
