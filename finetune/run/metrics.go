package run

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/finetune/metrics"
)

// KeepReports adds reports to metrics.json in dir, each in the place of an older
// one of its split.
func KeepReports(dir string, reports []metrics.Report) error {
	all, err := ReadMetrics(dir)
	if err != nil {
		return err
	}
	for _, r := range reports {
		at := slices.IndexFunc(all, func(old metrics.Report) bool { return old.Split == r.Split })
		if at < 0 {
			all = append(all, r)
		} else {
			all[at] = r
		}
	}
	return writeJSON(filepath.Join(dir, metricsFile), metrics.Schema, all)
}

// maxMetrics bounds metrics.json.
const maxMetrics = 64 << 20

// ReadMetrics reads dir's metrics.json; a folder without one has no reports.
func ReadMetrics(dir string) ([]metrics.Report, error) {
	path := filepath.Join(dir, metricsFile)
	reports := []metrics.Report{}
	data, err := readCapped(path, maxMetrics)
	if err != nil || data == nil {
		return reports, err
	}
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reports, nil
}

// readCapped reads a whole file, nil if it is not there.
func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
