package compare_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/preprocess/dataset"
)

// trainNet trains the study's network for two epochs on a few drawn faces.
func trainNet(t *testing.T, out string) {
	t.Helper()
	c, err := train.NewNetConfig(nets.KindCNN, run.RecipeStudy)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
	c.Out, c.Fit.Epochs, c.Fit.Threads = out, 2, 1
	if _, err := train.Net(context.Background(), c, train.Observer{}); err != nil {
		t.Fatal(err)
	}
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "cnn")
	trainNet(t, out)
	if _, err := train.Head(context.Background(), train.HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: filepath.Join(dir, "head")}, train.Observer{}); err != nil {
		t.Fatal(err)
	}
	list, err := compare.Read(context.Background(), []string{out, filepath.Join(dir, "head")})
	if err != nil {
		t.Fatal(err)
	}
	if c := list[0]; c.Parameters != 61451 || c.MACs != 416268 || c.Epochs != 2 || len(c.History) != 2 || len(c.Reports) != 2 || !(c.Seconds > 0) {
		t.Errorf("compared %+v", c)
	}
	var b bytes.Buffer
	if err := compare.Write(&b, list); err != nil {
		t.Fatal(err)
	}
	markdown := string(compare.Markdown(list))
	for _, want := range []string{"61451", "cnn, study", "lbfgs (its epochs are iterations)", "Accuracy on private-test", "surprise", "95% interval", "overall"} {
		if !strings.Contains(b.String(), want) || !strings.Contains(markdown, want) {
			t.Errorf("no %q in\n%s\nor\n%s", want, b.String(), markdown)
		}
	}
	if data, err := json.Marshal(list); err != nil || !strings.Contains(string(data), `"validation_loss":`) {
		t.Errorf("JSON %s (%v)", data, err)
	}
	if _, err := compare.Read(context.Background(), []string{dir}); err == nil {
		t.Error("a folder that is no run was compared")
	}
	if err := os.WriteFile(filepath.Join(out, "history.csv"), []byte("epoch,train_loss,validation_loss,validation_accuracy,seconds\n1,x,,,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = compare.Read(context.Background(), []string{out})
	runtest.WantError(t, err, "history.csv", "line 2", "train_loss")
}

// TestImportedRun: what was trained elsewhere shows up whole once it is judged,
// whichever splits are judged when.
func TestImportedRun(t *testing.T) {
	dir := t.TempDir()
	trained, imported := filepath.Join(dir, "trained"), filepath.Join(dir, "imported")
	trainNet(t, trained)
	c, err := train.NewImportConfig(nets.KindCNN)
	if err != nil {
		t.Fatal(err)
	}
	c.Weights, c.Out = filepath.Join(trained, "model.safetensors"), imported
	if _, err := train.Import(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	data := dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
	for _, splits := range [][]string{{"public-test"}, {"private-test"}, {"public-test"}} {
		if _, err := judge.Evaluate(context.Background(), judge.Config{Run: imported, Data: data, Splits: splits}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := compare.Read(context.Background(), []string{trained, imported})
	if err != nil {
		t.Fatal(err)
	}
	if len(list[1].Reports) != 2 {
		t.Fatalf("%d reports of the imported run, want one for each split", len(list[1].Reports))
	}
	for i, want := range list[0].Reports {
		if got := list[1].Reports[i]; got.Split != want.Split || got.Correct != want.Correct || got.Total != want.Total {
			t.Errorf("imported: %s %d/%d, trained: %s %d/%d", got.Split, got.Correct, got.Total, want.Split, want.Correct, want.Total)
		}
	}
	if markdown := string(compare.Markdown(list)); !strings.Contains(markdown, "| – |") {
		t.Errorf("epochs of a run without a history are not left open:\n%s", markdown)
	}
}
