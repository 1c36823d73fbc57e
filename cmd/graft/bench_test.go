package main

import (
	"context"
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
