package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runData runs the program with its output captured.
func runData(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &log
	err = app.RunContext(context.Background(), append([]string{"graft"}, args...))
	return out.String(), log.String(), err
}

func TestDataSynthConvertInfo(t *testing.T) {
	dir := t.TempDir()
	faces, table := filepath.Join(dir, "faces"), filepath.Join(dir, "faces.csv.gz")
	for _, args := range [][]string{
		{"data", "synth", "--out", faces, "--per-class", "3", "--seed", "5"},
		{"data", "convert", "--data", faces, "--out", table},
	} {
		if _, log, err := runData(t, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, log)
		}
	}
	out, log, err := runData(t, "data", "info", "--data", table, "--json", "-")
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Splits map[string]struct {
			Total   int
			Classes map[string]int
		}
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatalf("standard output is not JSON alone: %v\n%s", err, out)
	}
	if s := info.Splits["train"]; s.Total != 21 || s.Classes["happy"] != 3 {
		t.Errorf("train is %+v", s)
	}
	if !strings.Contains(log, "FER2013 has 28709") {
		t.Errorf("the odd count is not told on stderr:\n%s", log)
	}
	out, _, err = runData(t, "data", "info", "--data", faces)
	if err != nil || !strings.Contains(out, "public-test") || !strings.Contains(out, "surprise") {
		t.Errorf("table:\n%s%v", out, err)
	}
}

func TestDataUsageErrors(t *testing.T) {
	stderr := os.Stderr
	t.Cleanup(func() { os.Stderr = stderr })
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Stderr = null
	for _, c := range []struct {
		args string
		code int
	}{
		{"data info", exitUsage},
		{"data info --data synthetic extra", exitUsage},
		{"data info --data synthetic --per-class -1", exitUsage},
		{"data synth --per-class 0 --out x", exitUsage},
		{"data frobnicate", exitUsage},
		{"data info --data nowhere.csv", exitFailed},
	} {
		if code := runArgs(context.Background(), append([]string{"graft"}, strings.Fields(c.args)...)); code != c.code {
			t.Errorf("graft %s: exit status %d, want %d", c.args, code, c.code)
		}
	}
}

// Standard output holds JSON or nothing, also where the command line is wrong,
// and the complaint names the whole command.
func TestUsageErrorsLeaveStdoutAlone(t *testing.T) {
	for args, want := range map[string]string{
		"data info --json -":                        "--data is missing or empty; see 'graft data info --help'",
		"data convert --data synthetic --json -":    "see 'graft data convert --help'",
		"data info --data synthetic --ferplus= ":    "--ferplus is empty",
		"data frobnicate":                           `unknown command "frobnicate"; see 'graft data --help'`,
		"data info --data synthetic --json - extra": `data info takes flags only, got ["extra"]`,
		"model info":                                "model info wants FILE.onnx, got 0 arguments",
		"frobnicate":                                "see 'graft --help'",
	} {
		out, _, err := runData(t, strings.Fields(args)...)
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("graft %s: error %v, want a usage error with %s; standard output %q", args, err, want, out)
		}
	}
}

func TestPrintBadIsShort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bad.csv")
	text := "emotion,pixels,Usage\n" + strings.Repeat("9,1,Training\n", 50) + "3," + strings.TrimSpace(strings.Repeat("7 ", 2304)) + ",Training\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, log, err := runData(t, "data", "info", "--data", path, "--skip-bad")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "50 bad entries left out") || !strings.Contains(out, "and 30 more") || strings.Count(out, "unknown label") != 20 {
		t.Errorf("list of bad entries:\n%s", out)
	}
	if !strings.Contains(log, "row 1 (line 2)") {
		t.Errorf("stderr lacks the first bad row:\n%s", log)
	}
	_, _, err = runData(t, "data", "info", "--data", path)
	if err == nil || !strings.Contains(err.Error(), "row 1 (line 2), column emotion") {
		t.Errorf("error %v", err)
	}
}

// What --json names is looked at before the work, not after it.
func TestJSONFolderIsChecked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nowhere")
	out, _, err := runData(t, "data", "info", "--data", "synthetic", "--json", filepath.Join(dir, "x.json"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--json") || out != "" {
		t.Errorf("error %v, output %q", err, out)
	}
	for _, path := range []string{"e/sum.json", "./e/deep/sum.json"} {
		if err := checkJSON(path, "e"); err != nil {
			t.Errorf("%s, in the folder that is made: %v", path, err)
		}
	}
	if err := checkJSON("other/sum.json", "e"); err == nil {
		t.Error("a folder that nobody makes was accepted")
	}
}
