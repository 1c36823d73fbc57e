package run

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"graft/internal/regular"
)

// Predictions are a split's rows and the classes that a run gave them.
type Predictions struct {
	Indices   []int // positions in the dataset
	IDs       []string
	Labels    []int // classes, as Predicted
	Predicted []int
	Groups    []int     // equal numbers: rows that belong together; nil where that is not known
	Clean     []bool    // no row of the group was trained or chosen on; nil where that is not known
	Probs     []float32 // [n,classes], by ReadProbabilities and ReadHeldOut
}

// Right tells of each row whether it is predicted as it is labelled.
func (p Predictions) Right() []bool {
	out := make([]bool, len(p.Labels))
	for i, y := range p.Labels {
		out[i] = p.Predicted[i] == y
	}
	return out
}

// maxPredictions bounds predictions-<split>.csv: a million rows of a hundred
// classes are about as much.
const maxPredictions = 2 << 30

// ReadPredictions reads what WritePredictions left of a split in dir, nil if
// there is nothing. Columns are found by their names; group and clean may be
// missing, or empty in all rows. Anything else that does not fit is an error that
// names the file and the line.
func ReadPredictions(dir, split string, classes []string) (*Predictions, error) {
	return readPredictionsFile(predictionsPath(dir, split), classes, false)
}

// ReadProbabilities is ReadPredictions with the probabilities.
func ReadProbabilities(dir, split string, classes []string) (*Predictions, error) {
	return readPredictionsFile(predictionsPath(dir, split), classes, true)
}

// ReadHeldOut reads what WriteHeldOut left in dir, with the probabilities; nil if
// there is nothing.
func ReadHeldOut(dir string, classes []string) (*Predictions, error) {
	return readPredictionsFile(heldOutPath(dir), classes, true)
}

func readPredictionsFile(path string, classes []string, probs bool) (*Predictions, error) {
	f, err := regular.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > maxPredictions {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), maxPredictions)
	}
	p, err := readPredictions(f, classes, probs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func readPredictions(from io.Reader, classes []string, probs bool) (*Predictions, error) {
	r := csv.NewReader(bufio.NewReader(from))
	r.ReuseRecord = true
	line, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	columns, err := predictionsColumns(line)
	if err != nil {
		return nil, err
	}
	row := predictionsRow{columns: columns, classes: map[string]int{}}
	for i, name := range classes {
		row.classes[name] = i
		if _, ok := columns[columnProbability+name]; probs && !ok {
			return nil, fmt.Errorf("line 1: no column %s", columnProbability+name)
		}
	}
	if probs {
		row.probs = classes
	}
	p := &Predictions{}
	for {
		line, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		row.line = line
		if err := row.add(p); err != nil {
			at, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", at, err)
		}
	}
	switch n := len(p.Indices); {
	case n == 0:
		return nil, errors.New("no rows")
	case len(p.Groups) != 0 && len(p.Groups) != n, len(p.Clean) != 0 && len(p.Clean) != n:
		return nil, errors.New("columns group and clean are filled in some rows and empty in others")
	}
	return p, nil
}

// The columns that ReadPredictions looks for.
var predictionsWanted = []string{columnIndex, columnID, columnLabel, columnPredicted, columnGroup, columnClean}

const (
	columnIndex     = "index"
	columnID        = "id"
	columnLabel     = "label"
	columnPredicted = "predicted"
	columnGroup     = "group"
	columnClean     = "clean"

	columnProbability = "p_" // before a class
)

// predictionsColumns finds the columns by name.
func predictionsColumns(header []string) (map[string]int, error) {
	at := map[string]int{}
	for i, name := range header {
		if _, twice := at[name]; twice && slices.Contains(predictionsWanted, name) {
			return nil, fmt.Errorf("line 1: column %s is there twice", name)
		}
		at[name] = i
	}
	for _, name := range predictionsWanted[:4] {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("line 1: no column %s, want %s; graft eval writes the file anew", name, strings.Join(predictionsWanted[:4], ", "))
		}
	}
	return at, nil
}

// predictionsRow is a line being read.
type predictionsRow struct {
	columns map[string]int
	classes map[string]int
	probs   []string // the classes whose probabilities are read
	line    []string
}

// cell is empty where there is no such column.
func (r predictionsRow) cell(column string) string {
	if at, ok := r.columns[column]; ok {
		return r.line[at]
	}
	return ""
}

func (r predictionsRow) add(p *Predictions) error {
	index, err := strconv.Atoi(r.cell(columnIndex))
	if err != nil || index < 0 {
		return fmt.Errorf("%s is %q, want a number from 0", columnIndex, r.cell(columnIndex))
	}
	label, err := r.class(columnLabel)
	if err != nil {
		return err
	}
	predicted, err := r.class(columnPredicted)
	if err != nil {
		return err
	}
	if text := r.cell(columnGroup); text != "" {
		group, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is %q, want a number or nothing", columnGroup, text)
		}
		p.Groups = append(p.Groups, group)
	}
	switch text := r.cell(columnClean); text {
	case "":
	case "0", "1":
		p.Clean = append(p.Clean, text == "1")
	default:
		return fmt.Errorf("%s is %q, want 1, 0 or nothing", columnClean, text)
	}
	for _, class := range r.probs {
		v, err := strconv.ParseFloat(r.cell(columnProbability+class), 32)
		if err != nil {
			return fmt.Errorf("%s is %q, want a number", columnProbability+class, r.cell(columnProbability+class))
		}
		p.Probs = append(p.Probs, float32(v))
	}
	p.Indices, p.IDs = append(p.Indices, index), append(p.IDs, strings.Clone(r.cell(columnID)))
	p.Labels, p.Predicted = append(p.Labels, label), append(p.Predicted, predicted)
	return nil
}

func (r predictionsRow) class(column string) (int, error) {
	c, ok := r.classes[r.cell(column)]
	if !ok {
		return 0, fmt.Errorf("%s is %q, which is no class of the run", column, r.cell(column))
	}
	return c, nil
}
