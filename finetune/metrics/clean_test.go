package metrics

import (
	"reflect"
	"strings"
	"testing"
)

// Clean rows are judged as if there were no others.
func TestCleanIsTheReportOfTheRest(t *testing.T) {
	f := fixtures(t)[0]
	a := Answers{Probs: f.Probs, Labels: f.Labels, Groups: f.Groups}
	seen := make([]bool, len(f.Labels))
	for i := range seen {
		seen[i] = i%3 == 0
	}
	clean := a.Clean(f.Classes, seen, "how")
	rest, err := a.unseen(f.Classes, seen).Evaluate(strings.Split("abcdefghijkl"[:f.Classes], ""))
	if err != nil {
		t.Fatal(err)
	}
	want := &Clean{"how", 200, rest.Correct, &rest.Accuracy, rest.Interval, &rest.Balanced, rest.BalancedInterval}
	if rest.Total != 200 || !reflect.DeepEqual(clean, want) {
		t.Errorf("got %+v, want %+v", clean, want)
	}
	if a.Clean(f.Classes, nil, "") != nil {
		t.Error("clean rows where it is not known which were seen")
	}
	for i := range seen {
		seen[i] = true
	}
	if c := a.Clean(f.Classes, seen, ""); c.Total != 0 || c.Accuracy != nil || c.Balanced != nil || c.BalancedInterval != nil {
		t.Errorf("of no rows: %+v", c)
	}
}
