package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataAudit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	text, log, err := runData(t, "data", "audit", "--data", "synthetic", "--per-class", "2", "--out", dir)
	if err != nil || !strings.Contains(text, "public-test, in train too") || !strings.Contains(text, dir) {
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

func TestDataClean(t *testing.T) {
	dir := t.TempDir()
	faces, found, changes := filepath.Join(dir, "faces.csv"), filepath.Join(dir, "audit"), filepath.Join(dir, "changes.csv")
	must(t, "data", "synth", "--out", faces, "--per-class", "2")
	text, err := os.ReadFile(faces)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	again := strings.Join(append(lines, lines[1], strings.Replace(lines[2], "Training", "PublicTest", 1)), "")
	if err := os.WriteFile(faces, []byte(again), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "data", "audit", "--data", faces, "--out", found)
	if out := must(t, "data", "clean", "--audit", found, "--out", changes); !strings.Contains(out, "2 rows of train to drop, 0 to relabel") {
		t.Errorf("%s", out)
	}
	cleaned := filepath.Join(dir, "cleaned.csv.gz")
	if out := must(t, "data", "clean", "--data", faces, "--changes", changes, "--out", cleaned); !strings.Contains(out, "70 images, 2 dropped, 0 relabelled; take it as --data "+cleaned) {
		t.Errorf("%s", out)
	}
	if out := must(t, "data", "audit", "--data", cleaned, "--out", found); !strings.Contains(strings.Join(strings.Fields(out), " "), "70 images, 70 distinct") {
		t.Errorf("%s", out)
	}
	for args, want := range map[string]string{
		"--out x": "wants --audit", "--audit a --changes b --out x": "wants --audit", "--changes b --out x": "wants --data",
		"--audit a --labels mend --out x": `--labels "mend"`,
	} {
		_, _, err := runData(t, append([]string{"data", "clean"}, strings.Fields(args)...)...)
		if !errors.As(err, new(*usageError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("data clean %s: error %v, want wrong usage with %q", args, err, want)
		}
	}
}
