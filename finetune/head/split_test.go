package head

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestHoldOutIsStratified(t *testing.T) {
	y := make([]int, 1000)
	for i := range y {
		if i%10 == 0 {
			y[i] = 1
		}
	}
	y[5] = 2 // a class of one row stays with the fit
	fitted, held, err := HoldOut(y, 3, nil, 0.1, 1)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int, 3)
	for _, i := range held {
		counts[y[i]]++
	}
	if want := []int{90, 10, 0}; !slices.Equal(counts, want) {
		t.Errorf("the hold-out has %v rows a class, want %v", counts, want)
	}
	all := slices.Sorted(slices.Values(slices.Concat(fitted, held)))
	for i := range y {
		if all[i] != i {
			t.Fatalf("row %d is not on exactly one side", i)
		}
	}
	_, other, err := HoldOut(y, 3, nil, 0.1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(held, other) {
		t.Error("two seeds drew the same hold-out")
	}
}

func TestHoldOutKeepsGroupsTogether(t *testing.T) {
	y, groups := make([]int, 400), make([]int, 400)
	for i := range y {
		y[i], groups[i] = i%200%3, i%200
	}
	_, held, err := HoldOut(y, 3, groups, 0.1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(held) != 42 { // 7 twins of each class
		t.Errorf("%d rows held out of 400, want 42", len(held))
	}
	for _, i := range held {
		if !slices.Contains(held, (i+200)%400) {
			t.Errorf("row %d is held out and its twin is not", i)
		}
	}
}

func TestFolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	labels := make([]int, 203)
	for i := range labels {
		labels[i] = min(rng.IntN(6), 3)
	}
	labels[7] = 4 // a class of one
	const n = 5
	fold, err := Folds(labels, 5, nil, n, 9)
	if err != nil {
		t.Fatal(err)
	}
	count := map[[2]int]int{}
	size, class := make([]int, n), make([]int, 5)
	for i, f := range fold {
		count[[2]int{labels[i], f}]++
		size[f]++
		class[labels[i]]++
	}
	for f := range n {
		if size[f] < 40 || size[f] > 41 {
			t.Errorf("fold %d has %d of 203 rows", f, size[f])
		}
		for y, all := range class {
			if got := count[[2]int{y, f}]; got < all/n || got > all/n+1 {
				t.Errorf("fold %d has %d of the %d rows of class %d", f, got, all, y)
			}
		}
	}
	again, _ := Folds(labels, 5, nil, n, 9)
	other, _ := Folds(labels, 5, nil, n, 10)
	if !slices.Equal(fold, again) || slices.Equal(fold, other) {
		t.Error("folds must depend on the seed and on nothing else")
	}
}

func TestFoldsKeepGroupsTogether(t *testing.T) {
	labels, groups := make([]int, 400), make([]int, 400)
	for i := range labels {
		labels[i], groups[i] = i%200%3, i%200-50
	}
	labels[399] = 0 // its twin is of another class
	fold, err := Folds(labels, 3, groups, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	size := make([]int, 4)
	for i, f := range fold {
		if size[f]++; f != fold[(i+200)%400] {
			t.Errorf("row %d is in fold %d and its twin in fold %d", i, f, fold[(i+200)%400])
		}
	}
	if !slices.Equal(size, []int{100, 100, 100, 100}) {
		t.Errorf("folds of %v rows, want equal ones", size)
	}
	for _, c := range []struct {
		groups []int
		n      int
		want   string
	}{{nil, 1, "1 fold of 400 rows"}, {make([]int, 400), 2, "in 1 group"}, {groups[:3], 4, "3 group numbers, want 400"}} {
		if _, err := Folds(labels, 3, c.groups, c.n, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
