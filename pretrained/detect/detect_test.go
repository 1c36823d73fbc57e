package detect

import (
	"os"
	"testing"

	"graft/models"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
)

// weights is YuNet's file, which is not part of the project: GRAFT_YUNET names it, or graft model pull puts it into models.
func weights(t *testing.T) string {
	t.Helper()
	e, err := models.Get(models.Faces)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{os.Getenv("GRAFT_YUNET"), e.ONNXPath("../../models")} {
		if _, err := os.Stat(path); path != "" && err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: YuNet's weights are not here; graft model pull yunet fetches them, or GRAFT_YUNET names the file")
	return ""
}

// TestEngines: ONNX Runtime and graft's own engine find the same in pictures of any size, none of them a multiple of 32.
func TestEngines(t *testing.T) {
	path := weights(t)
	orttest.Require(t)
	for _, size := range [][2]int{{100, 75}, {33, 210}, {1, 1}} {
		im := preprocess.New(3, size[0], size[1])
		for i := range im.Pix {
			im.Pix[i] = uint8(i * i / 7)
		}
		var found [2]output
		for i, p := range []session.Provider{session.CPU, session.Go} {
			d, err := Open(t.Context(), path, Options{Runtime: session.Options{Provider: p}})
			if err != nil {
				t.Fatal(err)
			}
			if found[i], err = d.run(t.Context(), im); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		for k, a := range found[0].values {
			for i, v := range a {
				if d := v - found[1].values[k][i]; !(d < 1e-4 && d > -1e-4) {
					t.Fatalf("%v: %s at %d is %g and %g", size, outputs()[k], i, v, found[1].values[k][i])
				}
			}
		}
	}
}
