package finetune

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
	"strconv"

	"graft/finetune/fit"
	"graft/internal/atomicfile"
)

// Epoch is a line of history.csv: one pass over train, or one iteration of
// L-BFGS.
type Epoch = fit.Epoch

var historyColumns = []string{"epoch", "train_loss", "validation_loss", "validation_accuracy", "seconds"}

func writeHistory(dir string, epochs []Epoch) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(historyColumns) // a buffer takes everything; Error reports what csv itself refuses
	for _, e := range epochs {
		_ = w.Write([]string{strconv.Itoa(e.Number), number(&e.TrainLoss), number(e.ValidationLoss),
			number(e.ValidationAccuracy), strconv.FormatFloat(e.Seconds, 'f', 3, 64)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, historyFile), b.Bytes())
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 9, 64)
}
