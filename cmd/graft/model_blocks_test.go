package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"graft/pretrained/vit/vittest"
)

// TestModelBlocks tells a file's cuts in JSON and in words.
func TestModelBlocks(t *testing.T) {
	path := vittest.WriteTiny(t, t.TempDir())
	code, out := graft(t, context.Background(), "model", "blocks", path, "--json", "-")
	var r blocksReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("status %d: %v\n%s", code, err, out)
	}
	if r.Blocks != 2 || len(r.Cuts) != 3 || r.Input.Name != "pixels" || !slices.Equal(r.Input.Shape, []int{1, 3, 32, 32}) {
		t.Errorf("%+v", r)
	}
	// Behind the last block: the norm and the classifier of width 32 and 5 classes.
	if last := r.Cuts[2]; last.Tensor != "blocks.1.residual" || last.Parameters != 2*32+32*5+5 || last.MACs != 32*5 || !slices.Equal(last.Shape, []int{1, 17, 32}) || len(last.Residuals) != 2 {
		t.Errorf("last cut: %+v", last)
	}
	code, out = graft(t, context.Background(), "model", "blocks", path)
	for _, want := range []string{"input pixels [1,3,32,32], 2 blocks", "BLOCKS BEHIND", "[1,17,32]", "blocks.0.residual"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d: want %q in\n%s", code, want, out)
		}
	}
	if code, _ := graft(t, context.Background(), "model", "blocks", path, "--input-size", "48"); code != 2 {
		t.Errorf("a size that the file says: status %d, want 2", code)
	}
}
