package finetune

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/nets"
)

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "cnn")
	trainNet(t, smallNet(t, nets.KindCNN, RecipeStudy, out))
	trainUsual(t, HeadConfig{Embeddings: makeStore(t, dir, usual()), Out: filepath.Join(dir, "head")})
	list, err := Compare(context.Background(), []string{out, filepath.Join(dir, "head")})
	if err != nil {
		t.Fatal(err)
	}
	if c := list[0]; c.Parameters != 61451 || c.MACs != 416268 || c.Epochs != 2 || len(c.History) != 2 || len(c.Reports) != 2 || !(c.Seconds > 0) {
		t.Errorf("compared %+v", c)
	}
	var b bytes.Buffer
	if err := WriteComparison(&b, list); err != nil {
		t.Fatal(err)
	}
	markdown := string(ComparisonMarkdown(list))
	for _, want := range []string{"61451", "cnn, study", "lbfgs (its epochs are iterations)", "Accuracy on private-test", "surprise", "95% interval", "overall"} {
		if !strings.Contains(b.String(), want) || !strings.Contains(markdown, want) {
			t.Errorf("no %q in\n%s\nor\n%s", want, b.String(), markdown)
		}
	}
	if data, err := json.Marshal(list); err != nil || !strings.Contains(string(data), `"validation_loss":`) {
		t.Errorf("JSON %s (%v)", data, err)
	}
	if _, err := Compare(context.Background(), []string{dir}); err == nil {
		t.Error("a folder that is no run was compared")
	}
	if err := os.WriteFile(filepath.Join(out, historyFile), []byte(strings.Join(historyColumns, ",")+"\n1,x,,,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Compare(context.Background(), []string{out})
	wantError(t, err, historyFile, "line 2", "train_loss")
}
