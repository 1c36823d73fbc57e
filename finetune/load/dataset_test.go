package load_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/load"
	"graft/preprocess/dataset"
)

// TestOpenAsTellsWhatIsOdd judges folders one of which is empty: whoever reads the figures must hear of it.
func TestOpenAsTellsWhatIsOdd(t *testing.T) {
	dir := runtest.Pictures(t, false)
	if err := os.Mkdir(filepath.Join(dir, "val", "eel"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, notes, err := load.OpenAs(t.Context(), dataset.Ref{Path: dir}, []string{"eel", "dog", "cat"}, "run r", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if text := strings.Join(notes, " "); !strings.Contains(text, "eel") || d.Classes[0] != "eel" {
		t.Errorf("classes %v, notes %q; want one on the empty folder", d.Classes, notes)
	}
}
