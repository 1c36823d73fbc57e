package ship

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx/ort/orttest"
	"graft/preprocess"
	"graft/pretrained/vit/vittest"
)

// TestSnippets: the programs beside a file hold its input, preprocessing and labels, and the card names them.
// scripts/check_snippets runs them.
func TestSnippets(t *testing.T) {
	orttest.Require(t)
	cnn := run.NewConfig(nets.KindCNN, run.Program{}, 1, []string{`a "quoted" one`, "</script>", "c"})
	cnn.Pixels, cnn.Net = &run.PixelsRecord{Side: 48, Fit: run.FitResize}, nets.StudyCNN(3)
	network := &run.Run{Dir: t.TempDir(), Config: cnn, Weights: nets.Init(cnn.Net, 1)}
	if err := network.SaveModel(); err != nil {
		t.Fatal(err)
	}
	head := makeRun(t, vittest.WriteTiny(t, t.TempDir()), nil, []string{"cls"}, false)
	for dir, wants := range map[string]map[string][]string{
		network.Dir: {
			".py":   {`LABELS = ["a \"quoted\" one","\u003c/script\u003e","c"]`, "HEIGHT, WIDTH = 48, 48", `convert("RGB")`},
			".html": {`const labels = ["a \"quoted\" one","\u003c/script\u003e","c"];`, "channels = 3;", "'uint8'", "<title>net &amp; more.onnx"},
			".go":   {`model.Open(ctx, "net \u0026 more.onnx", model.Options{})`, `"graft/finetune/model"`},
		},
		head: {
			".py":   {`convert("RGB")`, "HEIGHT, WIDTH = 32, 32", "if not (h * WIDTH == w * HEIGHT and h <= HEIGHT)", `"plain, with a comma"`},
			".html": {"channels = 3;", "height = 32, width = 32"},
		},
	} {
		out := filepath.Join(t.TempDir(), "net & more.onnx")
		e, err := Export(t.Context(), Config{Run: dir, Out: out, Snippets: true})
		if err != nil || len(e.Snippets) != 3 {
			t.Fatalf("%v, %v", e.Snippets, err)
		}
		for _, path := range e.Snippets {
			text := readText(t, path)
			for _, want := range wants[filepath.Ext(path)] {
				if !strings.Contains(text, want) {
					t.Errorf("%s lacks %q", path, want)
				}
			}
			if formatted, err := format.Source([]byte(text)); filepath.Ext(path) == ".go" && (err != nil || string(formatted) != text) {
				t.Errorf("%s: %v, or not as gofmt has it", path, err)
			}
			if card := readText(t, e.Card); !strings.Contains(card, "`"+filepath.Base(path)+"`") {
				t.Errorf("the card does not name %s", path)
			}
		}
	}
}

func TestGoName(t *testing.T) {
	for base, want := range map[string]string{"a": "a.go", "a_test": "a_test_classify.go", "_a": "classify_a.go", ".a_test": "classify.a_test_classify.go", "-a": "classify-a.go", "_test": "classify_test_classify.go"} {
		if got := goName(base); got != want {
			t.Errorf("%q gives %q, want %q", base, got, want)
		}
	}
}

// TestSnippetsSpareOthers: a program of the user's that has the name is not replaced.
func TestSnippetsSpareOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "predict.py")
	ours := []byte("\"\"\"Classifies photographs with \"a.onnx\"")
	for text, want := range map[string]bool{"print('mine')": false, "\"\"\"Classifies photographs with \"b.onnx\"": true, "": false} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := refuseOthers(path, ours); (err == nil) != want {
			t.Errorf("over %q: %v", text, err)
		}
	}
	if err := refuseOthers(path+".new", ours); err != nil {
		t.Error(err)
	}
	var s snippet
	gray := preprocess.Spec{Size: 4, Channels: 1, Normalization: preprocess.Half}
	s.describe(&run.Run{Config: run.Config{Kind: nets.KindHead}}, &gray)
	if len(s.Mean) != 1 || len(s.Std) != 1 {
		t.Errorf("one channel has the means %v and deviations %v", s.Mean, s.Std)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
