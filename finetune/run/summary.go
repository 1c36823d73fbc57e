package run

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/atomicfile"
)

// What several runs of one setting differ in.
const (
	BySeed = "seed"
	ByFold = "fold" // of train: the run learned from the others, and is judged on this one too
)

const (
	summaryFile   = "summary.json"
	summarySchema = "graft-summary-1"
	maxSummary    = 16 << 20
)

// Summary is several runs of one setting, each in a folder of its own below one
// folder, whose summary.json it is.
type Summary struct {
	By       string            `json:"by"`       // BySeed or ByFold
	Settings map[string]string `json:"settings"` // what the runs have in common
	Runs     []string          `json:"runs"`     // names of the finished ones' folders, seed-1 or fold-1, in their order
	Splits   []Spreads         `json:"splits"`
}

// ReadSummary reads dir's summary.json, nil if there is none: dir does not hold
// several runs.
func ReadSummary(dir string) (*Summary, error) {
	path := filepath.Join(dir, summaryFile)
	data, err := readCapped(path, maxSummary)
	if err != nil || data == nil {
		return nil, err
	}
	s := &Summary{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.By != BySeed && s.By != ByFold {
		return nil, fmt.Errorf("%s: runs by %q, want %s or %s", path, s.By, BySeed, ByFold)
	}
	for _, name := range s.Runs {
		if _, ok := s.number(name); !ok {
			return nil, fmt.Errorf("%s: a run of name %q, want %s-NUMBER", path, name, s.By)
		}
	}
	return s, nil
}

// Name is the folder of a run by its number.
func (s Summary) Name(number uint64) string { return fmt.Sprintf("%s-%d", s.By, number) }

func (s Summary) number(name string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, s.By+"-"), 10, 64)
	return n, err == nil && s.Name(n) == name
}

// Start makes dir ready for runs of s's settings: a new folder, or one with runs of
// the same, to which others are added. Runs of other settings go with force, and
// without are an error that says what differs.
func (s *Summary) Start(dir string, force bool) error {
	had, err := ReadSummary(dir)
	if err != nil {
		return err
	}
	if had == nil {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("run folder %s: %w", dir, err)
		}
		begun := func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), atomicfile.TempPrefix) } // and killed
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !begun(e) }) {
			return fmt.Errorf("run folder %s exists and holds no %s; choose another --out for several runs", dir, summaryFile)
		}
		return s.write(dir)
	}
	if force {
		if err := had.remove(dir); err != nil {
			return err
		}
		return s.write(dir)
	}
	if differ := s.differs(had); differ != "" {
		return fmt.Errorf("run folder %s holds runs of other settings: %s; choose another --out, or replace them with --force", dir, differ)
	}
	s.Runs = had.Runs
	return nil
}

// differs says what of the settings is not as it was.
func (s Summary) differs(had *Summary) string {
	var out []string
	if s.By != had.By {
		out = append(out, fmt.Sprintf("they were several %ss and now are %ss", had.By, s.By))
	}
	all := maps.Clone(had.Settings)
	maps.Copy(all, s.Settings)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if was, is := had.Settings[key], s.Settings[key]; was != is {
			out = append(out, fmt.Sprintf("%s was %q and now is %q", key, was, is))
		}
	}
	return strings.Join(out, ", ")
}

// remove takes out the runs, the unfinished too, and then the summary.
func (s Summary) remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, ok := s.number(e.Name()); !ok || !e.IsDir() {
			continue
		}
		if _, err := CheckFolder(path, true); err != nil {
			return err
		}
		if err := StartFolder(path); err != nil {
			return err
		}
		_ = os.Remove(path) // stays where something else lies in it
	}
	return os.Remove(filepath.Join(dir, summaryFile))
}

// Add takes a run in that was finished in dir, and makes the figures anew of all
// that the summary names. It returns their reports.
func (s *Summary) Add(dir, name string) ([]metrics.Report, error) {
	if !slices.Contains(s.Runs, name) {
		s.Runs = append(s.Runs, name)
	}
	slices.SortFunc(s.Runs, func(a, b string) int {
		x, _ := s.number(a)
		y, _ := s.number(b)
		return cmp.Compare(x, y)
	})
	var all []metrics.Report
	for _, name := range s.Runs {
		reports, err := ReadMetrics(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, reports...)
	}
	if err := s.summarize(all); err != nil {
		return nil, err
	}
	return all, s.write(dir)
}

func (s Summary) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return writeJSON(filepath.Join(dir, summaryFile), summarySchema, s)
}
