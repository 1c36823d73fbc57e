package compare_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/metrics"
	"graft/finetune/run"
)

// judgedRun is a run's folder with its answers to the rows of a test split: each
// line of rows is "index,id,label,predicted,group,clean".
func judgedRun(t *testing.T, dir, fingerprint string, rows ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	report := metrics.Report{Split: "test", Total: len(rows)}
	for _, row := range rows {
		if cells := strings.Split(row, ","); cells[2] == cells[3] {
			report.Correct++
		}
	}
	if err := run.KeepReports(dir, []metrics.Report{report}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"predictions-test.csv": "index,id,label,predicted,group,clean\n" + strings.Join(rows, "\n") + "\n",
		"config.json": `{"format":"graft-run-1","kind":"cnn","classes":["a","b"],"dataset":{"name":"set","fingerprint":"` + fingerprint + `"},
			"model":{"arch":"study","side":32,"channels":1,"outputs":2},"pixels":{"side":48,"fit":"resize"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.ToSlash(dir)
}

// answersOf are rows of which the first so many are right; every third is not clean.
func answersOf(n, right int) (rows []string) {
	for i := range n {
		rows = append(rows, fmt.Sprintf("%d,i%d,a,%s,%d,%d", i, i, map[bool]string{true: "a", false: "b"}[i < right], i/2, min(1, i%3)))
	}
	return rows
}

func TestPairsOfRunsThatJudgedTheSameRows(t *testing.T) {
	dir := t.TempDir()
	good := judgedRun(t, dir+"/good", "x", answersOf(90, 60)...)
	fair := judgedRun(t, dir+"/fair", "x", answersOf(90, 54)...)
	poor := judgedRun(t, dir+"/poor", "", answersOf(90, 30)...)
	list, err := compare.Read(context.Background(), []string{good, fair, poor})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		for _, test := range c.Tests {
			got = append(got, fmt.Sprintf("%s %s %s %d %d %d %.3f %.4g %.4g %s", filepath.Base(c.Run), filepath.Base(test.Against), test.Rows,
				test.Total, test.OnlyThis, test.OnlyOther, test.Difference, test.P, test.Corrected, test.Verdict))
		}
	}
	// 2^-5, 2^-29 and 2^-23 by hand, and of the clean rows 2^-3, 2^-19 and 2^-15; times 1, 3 and 2.
	want := []string{
		"good fair all 90 6 0 0.067 0.03125 0.03125 better", "good poor all 90 30 0 0.333 1.863e-09 5.588e-09 better",
		"good fair clean 60 4 0 0.067 0.125 0.125 cannot be told apart", "good poor clean 60 20 0 0.333 1.907e-06 5.722e-06 better",
		"fair good all 90 0 6 -0.067 0.03125 0.03125 worse", "fair poor all 90 24 0 0.267 1.192e-07 2.384e-07 better",
		"fair good clean 60 0 4 -0.067 0.125 0.125 cannot be told apart", "fair poor clean 60 16 0 0.267 3.052e-05 6.104e-05 better",
		"poor good all 90 0 30 -0.333 1.863e-09 5.588e-09 worse", "poor fair all 90 0 24 -0.267 1.192e-07 2.384e-07 worse",
		"poor good clean 60 0 20 -0.333 1.907e-06 5.722e-06 worse", "poor fair clean 60 0 16 -0.267 3.052e-05 6.104e-05 worse",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("tests:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var b strings.Builder
	if err := compare.Write(&b, list); err != nil {
		t.Fatal(err)
	}
	markdown := string(compare.Markdown(list))
	for _, want := range []string{"Differences on test", "good − fair", "clean 60", "+6.7", "good is better", "cannot be told apart"} {
		if !strings.Contains(b.String(), want) || !strings.Contains(markdown, want) {
			t.Errorf("no %q in\n%s\nor\n%s", want, b.String(), markdown)
		}
	}
}

func TestPairsThatCannotBeTested(t *testing.T) {
	dir := t.TempDir()
	usual := judgedRun(t, dir+"/usual", "x", answersOf(9, 6)...)
	changed := answersOf(9, 6)
	changed[4] = "4,i4,b,b,2,1"
	stale := judgedRun(t, dir+"/stale", "x", answersOf(9, 6)...)
	if err := run.KeepReports(stale, []metrics.Report{{Split: "test", Total: 9, Correct: 7}}); err != nil {
		t.Fatal(err)
	}
	silent := judgedRun(t, dir+"/silent", "x", answersOf(9, 6)...)
	if err := os.Remove(silent + "/predictions-test.csv"); err != nil {
		t.Fatal(err)
	}
	for other, want := range map[string]string{
		judgedRun(t, dir+"/elsewhere", "y", answersOf(9, 6)...): "other data sets, set and set",
		judgedRun(t, dir+"/fewer", "x", answersOf(8, 6)...):     "other rows, 9 and 8",
		judgedRun(t, dir+"/changed", "x", changed...):           "row 5 is i4 (a) and i4 (b)",
		stale:  "its predictions have 6 of 9 right, its metrics 7 of 9",
		silent: "silent has no predictions",
	} {
		list, err := compare.Read(context.Background(), []string{usual, other})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if len(c.Tests) != 1 || !strings.Contains(c.Tests[0].NotTested, want) || c.Tests[0].Contrast != nil {
				t.Errorf("%s: tests %+v, want none because %q", c.Run, c.Tests, want)
			}
		}
		if text := string(compare.Markdown(list)); !strings.Contains(text, "not tested: "+list[0].Tests[0].NotTested) {
			t.Errorf("the table does not say why:\n%s", text)
		}
	}
	if err := os.WriteFile(usual+"/predictions-test.csv", []byte("index,id\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := compare.Read(context.Background(), []string{usual}); err == nil || !strings.Contains(err.Error(), "predictions-test.csv") {
		t.Errorf("error %v, want one on the file", err)
	}
}

// foldRun is a folder of two folds whose images come in fours: of each four all are
// right or none is, as the bits of right say.
func foldRun(t *testing.T, dir string, right ...bool) string {
	t.Helper()
	var rows [2][]string
	for i := range 4 * len(right) {
		group := i / 4
		answer := map[bool]string{true: "a", false: "b"}[right[group]]
		rows[group%2] = append(rows[group%2], fmt.Sprintf("%d,i%d,a,%s,%d,1", i, i, answer, group/2)) // numbered anew in each fold
	}
	s := run.Summary{By: run.ByFold}
	for k, list := range rows {
		name := s.Name(uint64(k) + 1)
		judgedRun(t, filepath.Join(dir, name), "x", list...)
		if err := os.Rename(filepath.Join(dir, name, "predictions-test.csv"), filepath.Join(dir, name, "predictions-"+name+".csv")); err != nil {
			t.Fatal(err)
		}
		reports, err := run.ReadMetrics(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		reports[0].Split = name
		if err := os.Remove(filepath.Join(dir, name, "metrics.json")); err != nil {
			t.Fatal(err)
		}
		if err := run.KeepReports(filepath.Join(dir, name), reports); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A cross-validation's interval draws groups whole: with all rows in fours it is as
// wide as that of a quarter of the rows.
func TestFoldsKeepTheirGroups(t *testing.T) {
	dir := t.TempDir()
	var right, other []bool
	for i := range 60 {
		right, other = append(right, i%3 > 0), append(other, i%5 > 1)
	}
	list, err := compare.Read(t.Context(), []string{foldRun(t, dir+"/a", right...), foldRun(t, dir+"/b", other...)})
	if err != nil {
		t.Fatal(err)
	}
	want := metrics.ComparePairs([]metrics.Pair{{This: right, Other: other}}, metrics.Alone(60), 1)[0]
	got := list[0].Tests[0]
	if got.Total != 240 || got.Difference != want.Difference || math.Abs(got.Interval[0]-want.Interval[0]) > 0.02 || math.Abs(got.Interval[1]-want.Interval[1]) > 0.02 {
		t.Errorf("%+v %+v, want the interval %v of 60 rows", got.Discordant, got.Contrast, want.Interval)
	}
}
