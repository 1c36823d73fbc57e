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
	c.Data = run.DataOptions{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
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
