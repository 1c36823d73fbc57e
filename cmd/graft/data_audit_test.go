package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataAudit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	text, log, err := runData(t, "data", "audit", "--data", "synthetic", "--per-class", "2", "--out", dir)
	if err != nil || !strings.Contains(text, "public-test rows in train too") || !strings.Contains(text, dir) {
		t.Fatalf("%v\n%s%s", err, text, log)
	}
	out, _, err := runData(t, "data", "audit", "--data", "synthetic", "--per-class", "2", "--out", dir, "--json", "-", "--tiny", "49")
	if err != nil {
		t.Fatal(err)
	}
	var report, file struct {
		Schema       string
		Images, Tiny int
	}
	data, readErr := os.ReadFile(filepath.Join(dir, "audit.json"))
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Images != 70 || report.Tiny != 70 {
		t.Errorf("%v, %+v in\n%s", err, report, out)
	}
	if err := json.Unmarshal(data, &file); err != nil || readErr != nil || file != report {
		t.Errorf("audit.json: %v, %v, %+v", err, readErr, file)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runData(t, "data", "audit", "--data", "synthetic", "--out", blocked); err == nil || !strings.Contains(err.Error(), blocked) {
		t.Errorf("--out that is a file: %v", err)
	}
}
