package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"graft/internal/measure"
)

func TestBench(t *testing.T) {
	report := decode[measure.Report](t, must(t, "bench", "--cases", "vit,head,cnn,head", "--rows", "300", "--dim", "5", "--images", "32",
		"--rounds", "1", "--threads", "1", "--json", "-"))
	var names []string
	for _, c := range report.Cases {
		names = append(names, c.Name)
		if !(c.ItemsPerSecond > 0) || !(c.Seconds > 0) || c.Provider != "go" || c.Precision != "float32" {
			t.Errorf("%+v", c)
		}
	}
	if want := []string{"vit", "head", "cnn"}; !slices.Equal(names, want) {
		t.Errorf("cases %v, want %v", names, want)
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--cases", "rnn"}, {"--cases", ","}, {"--rounds", "0"}, {"--rows", "0"}, {"--batch", "-1"}, {"--provider", "abacus"}, {"--arch", "vit_huge"}, {"stray"},
	} {
		if code, _ := graft(t, context.Background(), append([]string{"bench"}, args...)...); code != exitUsage {
			t.Errorf("graft bench %v: exit status %d, want %d", args, code, exitUsage)
		}
	}
}

// Features that do not fit are refused where the system tells its memory, and there alone.
func TestCheckRoom(t *testing.T) {
	told := func() (int64, error) { return 1 << 20, nil }
	untold := func() (int64, error) { return 0, errors.ErrUnsupported }
	if checkRoom(1024, 256, told) != nil || checkRoom(1025, 256, told) == nil || checkRoom(1<<20, 1024, untold) != nil {
		t.Error("want 1 MB allowed, more refused, and all allowed where nothing is told")
	}
}
