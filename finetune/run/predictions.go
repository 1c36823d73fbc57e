package run

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/atomicfile"
)

// heldOut is what stands for a split's name in the file of the rows of train that
// were held out.
const heldOut = "holdout"

// predictionsPath is the file for a split; split names come from folders, so
// what a file name cannot hold is replaced.
func predictionsPath(dir, split string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, split)
	if safe == heldOut {
		safe += "_"
	}
	return filepath.Join(dir, predictionsPrefix+safe+predictionsSuffix)
}

// WritePredictions writes a row for each sample of a split: its index in the
// dataset, id, label, predicted class, the probability of every class, and where
// it is known its group and whether that is none that the model has seen.
func WritePredictions(dir, split string, classes []string, f Rows, probs []float32) error {
	return writePredictions(predictionsPath(dir, split), classes, f, probs)
}

func heldOutPath(dir string) string {
	return filepath.Join(dir, predictionsPrefix+heldOut+predictionsSuffix)
}

// WriteHeldOut writes the same of the rows of train that were held out, as a model
// that was not trained on them answered: what a temperature and conformal sets are
// fitted on.
func WriteHeldOut(dir string, classes []string, f Rows, probs []float32) error {
	return writePredictions(heldOutPath(dir), classes, f, probs)
}

func writePredictions(path string, classes []string, f Rows, probs []float32) error {
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	buf := bufio.NewWriter(file)
	if err := predictionRows(csv.NewWriter(buf), classes, f, probs); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Commit()
}

func predictionRows(w *csv.Writer, classes []string, f Rows, probs []float32) error {
	row := slices.Clone(predictionsWanted[:4])
	for _, c := range classes {
		row = append(row, columnProbability+c)
	}
	row = append(row, columnGroup, columnClean)
	if err := w.Write(row); err != nil {
		return err
	}
	k := len(classes)
	for i, y := range f.Labels {
		p := probs[i*k : (i+1)*k]
		row = append(row[:0], strconv.Itoa(f.Indices[i]), f.IDs[i], classes[y], classes[metrics.Argmax(p)])
		for _, v := range p {
			row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		row = append(row, f.groupCells(i)...)
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
