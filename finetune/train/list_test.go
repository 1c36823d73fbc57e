package train

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// listedPictures lists the pictures for train, and one that is not there.
func listedPictures(t *testing.T) string {
	t.Helper()
	dir := runtest.Pictures(t, true)
	lines := "path,label,split\nval/cat/none.png,cat,train\n"
	for i := range runtest.Images() {
		class := []string{"cat", "dog"}[i%2]
		lines += fmt.Sprintf("val/%s/%c.png,%s,%s\n", class, 'a'+i, class, []string{"train", "val"}[i/3])
	}
	path := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	return dataset.ListPrefix + path
}

// A network is trained on what can be read of a list when bad images are to be
// left out, and judged on the list that the run names.
func TestNetworkOnList(t *testing.T) {
	c := smallNet(t, nets.KindCNN, run.RecipeStrong, filepath.Join(t.TempDir(), "run"))
	c.Data = dataset.Ref{Path: listedPictures(t)}
	if _, err := Net(context.Background(), c, Observer{}); err == nil || !strings.Contains(err.Error(), "none.png") {
		t.Fatalf("error %v, want one on the image that is not there", err)
	}
	c.Data.SkipBad = true
	var said []string
	result, err := Net(context.Background(), c, Observer{Log: func(line string) { said = append(said, line) }})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "left out: 2 bad entries of list:list.csv") {
		t.Errorf("training said %q", text)
	}
	if name := result.Run.Config.Dataset.Name; name != "list:list.csv" {
		t.Errorf("the run calls its dataset %s", name)
	}
	if left := result.Run.Config.Dataset.LeftOut; len(left) != 2 || !strings.Contains(left[0].Where+left[1].Where, "none.png") || left[0].Reason == "" {
		t.Errorf("the run says that %+v are left out", left)
	}
	e, err := judge.Evaluate(context.Background(), judge.Config{Run: c.Out})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Reports) != 1 || e.Reports[0].Total != 1 || !strings.Contains(strings.Join(e.Notes, " "), "2 bad entries") {
		t.Errorf("%+v, notes %q", e.Reports, e.Notes)
	}
	if err := os.Remove(strings.TrimPrefix(c.Data.Path, dataset.ListPrefix)); err != nil {
		t.Fatal(err)
	}
	_, err = judge.Evaluate(context.Background(), judge.Config{Run: c.Out})
	runtest.WantError(t, err, "not at list:", "--data")
}
