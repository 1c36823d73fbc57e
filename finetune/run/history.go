package run

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"graft/finetune/fit"
	"graft/internal/atomicfile"
)

var historyColumns = []string{"epoch", "train_loss", "validation_loss", "validation_accuracy", "seconds"}

func writeHistory(dir string, epochs []fit.Epoch) error {
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

// maxHistory bounds history.csv.
const maxHistory = 16 << 20

// ReadHistory reads dir's history.csv; a folder without one has no epochs.
func ReadHistory(dir string) ([]fit.Epoch, error) {
	path := filepath.Join(dir, historyFile)
	epochs := []fit.Epoch{}
	data, err := readCapped(path, maxHistory)
	if err != nil || data == nil {
		return epochs, err
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, line := range lines {
		if i == 0 {
			continue
		}
		e, err := parseEpoch(line)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, i+1, err)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

func parseEpoch(line []string) (e fit.Epoch, err error) {
	if len(line) != len(historyColumns) {
		return e, fmt.Errorf("%d columns, want %d", len(line), len(historyColumns))
	}
	if e.Number, err = strconv.Atoi(line[0]); err != nil {
		return e, err
	}
	for i, to := range []func(float64){
		func(v float64) { e.TrainLoss = v }, func(v float64) { e.ValidationLoss = &v },
		func(v float64) { e.ValidationAccuracy = &v }, func(v float64) { e.Seconds = v },
	} {
		text := line[i+1]
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return e, fmt.Errorf("%s is %q, want a number", historyColumns[i+1], text)
		}
		to(v)
	}
	return e, nil
}
