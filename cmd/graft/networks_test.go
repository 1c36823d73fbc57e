package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/onnx/ort/orttest"
)

// tinyNetworks are command lines for networks small enough for tests.
var tinyNetworks = map[string][]string{
	"cnn":        {"train", "cnn"},
	"cnn-failed": {"train", "cnn", "--augment", "hflip,vflip", "--class-weights", "balanced"},
	"cnn-strong": {"train", "cnn", "--recipe", "strong", "--stem", "4", "--stages", "4,6", "--holdout", "0.2", "--keep-best"},
	"vit":        {"train", "vit"},
	"vit-deep": {"train", "vit", "--init", "sane", "--depth", "3", "--width", "16", "--tied=false", "--pool", "class", "--spare-token=false",
		"--optimizer", "sgd", "--lr", "0.01", "--momentum", "0.9", "--schedule", "step", "--step-epochs", "1", "--step-factor", "0.5"},
}

func TestNetworks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var runs []string
	for name, args := range tinyNetworks {
		reports := decode[[]metrics.Report](t, must(t, append(args, "--data", "synthetic", "--per-class", "8", "--epochs", "2", "--threads", "1",
			"--out", at(name), "--json", "-")...))
		if len(reports) != 2 || reports[0].Split != "public-test" || reports[0].Total == 0 {
			t.Errorf("%s: reports %+v, want both test splits", name, reports)
		}
		again := decode[[]metrics.Report](t, must(t, "eval", at(name), "--split", "private-test", "--threads", "1", "--json", "-"))
		if len(again) != 1 || again[0].Loss != reports[1].Loss {
			t.Errorf("%s: eval says %+v, training said %+v", name, again, reports[1])
		}
		runs = append(runs, at(name))
	}
	list := decode[[]compare.Comparison](t, must(t, append([]string{"compare", "--markdown", at("table.md"), "--json", "-"}, runs...)...))
	if len(list) != len(runs) || list[0].Epochs != 2 || list[0].Parameters == 0 {
		t.Errorf("compared %+v", list)
	}
	if text, err := os.ReadFile(at("table.md")); err != nil || !strings.Contains(string(text), "| overall |") {
		t.Errorf("Markdown %q (%v)", text, err)
	}
	checkImported(t, at("cnn"), at("imported"))
	checkIdleFlags(t, at("cnn"))
	checkExportedNetwork(t, dir, at("cnn-strong"))
	checkFaces(t, dir, at("cnn"))
}

// checkImported reads a run's weights as if PyTorch had written them.
func checkImported(t *testing.T, run, out string) {
	t.Helper()
	must(t, "import", "--model", "cnn", "--weights", filepath.Join(run, "model.safetensors"), "--out", out)
	a := must(t, "eval", run, "--threads", "1")
	b := must(t, "eval", out, "--data", "synthetic", "--per-class", "8", "--threads", "1")
	a, known, _ := strings.Cut(a, "\nclean: ")
	b, guessed, _ := strings.Cut(b, "\nclean: ")
	if a != b || strings.Contains(known, "not known") || !strings.Contains(guessed, "not known what the model was trained on") {
		t.Errorf("the imported run is judged\n%s\nits source\n%s", b, a)
	}
}

// checkIdleFlags gives eval flags that would change nothing.
func checkIdleFlags(t *testing.T, run string) {
	t.Helper()
	live := context.Background()
	for _, args := range []string{"--seed 2", "--per-class 4 --skip-bad", "--embeddings e", "--data nowhere.csv --seed 2"} {
		if code, out := graft(t, live, append([]string{"eval", run}, strings.Fields(args)...)...); code != exitUsage {
			t.Errorf("eval of a cnn with %s: exit status %d, want %d; output:\n%s", args, code, exitUsage, out)
		}
	}
	must(t, "eval", run, "--data", "synthetic", "--per-class", "4", "--seed", "2", "--skip-bad", "--threads", "1")
}

func checkExportedNetwork(t *testing.T, dir, run string) {
	t.Helper()
	orttest.Require(t)
	face, file := filepath.Join(dir, "face.png"), filepath.Join(dir, "net.onnx")
	facePNG(t, face)
	must(t, "export", run, "--out", file)
	a := decode[[]model.Prediction](t, must(t, "predict", run, face, "--top", "0", "--json", "-"))
	b := decode[[]model.Prediction](t, must(t, "predict", file, face, "--top", "0", "--provider", "cpu", "--json", "-"))
	of := map[string]float32{}
	for _, s := range a[0].Scores {
		of[s.Label] = s.Probability
	}
	if len(of) != 7 || len(b[0].Scores) != 7 {
		t.Fatalf("predictions %+v and %+v, want seven classes", a, b)
	}
	for _, s := range b[0].Scores {
		if d := math.Abs(float64(s.Probability - of[s.Label])); !(d <= 1e-5) {
			t.Errorf("%s: %g in the file, %g in the run", s.Label, s.Probability, of[s.Label])
		}
	}
}

func TestNetworkUsage(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x")
	for _, c := range []struct {
		args string
		want int
	}{
		{"train cnn --data synthetic --out OUT --recipe magic", exitUsage},
		{"train cnn --data synthetic --out OUT --lr 0", exitUsage},
		{"train cnn --data synthetic --out OUT --augment spin", exitUsage},
		{"train cnn --data synthetic --out OUT --depth 4", exitUsage},
		{"train vit --data synthetic --out OUT --width 30", exitUsage},
		{"train vit --data synthetic --out OUT --keep-best", exitUsage},
		{"train vit --data nowhere.csv --out OUT", exitFailed},
		{"train head --embeddings nowhere --out OUT --epochs 3", exitUsage},
		{"train head --embeddings nowhere --out OUT --threads 1", exitFailed}, // for the store alone
		{"train head --embeddings nowhere --out OUT --recipe strong --epochs 0", exitUsage},
		{"import --model head --weights w.pth --out OUT", exitUsage},
		{"import --model cnn --weights nowhere.pth --out OUT", exitFailed},
		{"compare", exitUsage},
		{"compare OUT", exitFailed},
	} {
		args := strings.Fields(strings.ReplaceAll(c.args, "OUT", out))
		if code, text := graft(t, context.Background(), args...); code != c.want {
			t.Errorf("%s: exit status %d, want %d; output:\n%s", c.args, code, c.want, text)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("wrong usage made the folder: %v", err)
	}
}
