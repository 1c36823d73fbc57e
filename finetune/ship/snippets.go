package ship

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"text/template"

	"graft/finetune/run"
	"graft/internal/atomicfile"
	"graft/preprocess"
)

//go:embed snippets/*.tmpl
var snippetFiles embed.FS

var snippetTemplates = template.Must(template.New("").Funcs(template.FuncMap{"json": func(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}}).ParseFS(snippetFiles, "snippets/*.tmpl"))

// snippet is what programs that call an exported file have to know of it.
type snippet struct {
	File, Python, Go string // names
	Module           string // graft's own
	Labels           []string
	Channels         int // of the input
	Height, Width    int // of what is cut out of a photograph, pixels
	Crop             float64
	Whole            bool      // photographs go in as they are, [1,H,W,3]
	Small            bool      // smaller images of that shape go in as they are
	Floats           bool      // the input is float32, less Mean and divided by Std
	Mean, Std        []float32 // of each channel
}

// addSnippets writes programs beside a file that was exported, in Python, for a browser and in Go, each of which gives what
// graft predict gives.
func addSnippets(r *run.Run, e *Exported, foreign *preprocess.Spec, whole bool) error {
	base := strings.TrimSuffix(e.File, filepath.Ext(e.File))
	programs := map[string]string{".py": base + ".py", ".html": base + ".html", ".go": filepath.Join(filepath.Dir(base), goName(filepath.Base(base)))}
	s := snippet{File: filepath.Base(e.File), Python: filepath.Base(programs[".py"]), Go: filepath.Base(programs[".go"]), Labels: e.Labels, Whole: whole,
		Module: strings.TrimSuffix(reflect.TypeFor[snippet]().PkgPath(), "/finetune/ship")}
	s.describe(r, foreign)
	for _, kind := range []string{".py", ".html", ".go"} {
		var b bytes.Buffer
		if err := snippetTemplates.ExecuteTemplate(&b, "classify"+kind+".tmpl", s); err != nil {
			return fmt.Errorf("%s: %w", programs[kind], err)
		}
		if err := refuseOthers(programs[kind], b.Bytes()); err != nil {
			return err
		}
		if err := atomicfile.WriteFile(programs[kind], b.Bytes()); err != nil {
			return err
		}
		e.Snippets = append(e.Snippets, programs[kind])
	}
	return nil
}

// goName is the name of a program that go run takes: neither a test's, nor one that it passes over or takes for a flag.
func goName(base string) string {
	if strings.TrimLeft(base, "._-") != base {
		base = "classify" + base
	}
	if strings.HasSuffix(base, "_test") {
		base += "_classify"
	}
	return base + ".go"
}

// refuseOthers refuses to replace a file that does not begin as ours do.
func refuseOthers(path string, ours []byte) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if head, _, _ := bytes.Cut(ours, []byte(" with ")); err == nil && !bytes.HasPrefix(old, head) {
		err = fmt.Errorf("%s is there already and was not written by graft export; move it, or export under another name", path)
	}
	return err
}

// describe says what becomes of a photograph.
func (s *snippet) describe(r *run.Run, foreign *preprocess.Spec) {
	k := r.Config
	if !k.OnBackbone() {
		s.Channels, s.Height, s.Width, s.Crop = 3, k.Pixels.Side, k.Pixels.Side, 1
		return
	}
	spec := k.Backbone.Preprocessing
	if s.Small = foreign == nil; !s.Small {
		spec = *foreign
		n := cmp.Or(spec.Channels, 3)
		s.Floats, s.Mean, s.Std = true, spec.Mean[:n], spec.Std[:n]
	}
	s.Channels, s.Height, s.Width, s.Crop = cmp.Or(spec.Channels, 3), spec.Size, cmp.Or(spec.Width, spec.Size), cmp.Or(spec.Crop, 1)
}
