package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// folds is into how many parts train is cut: each is judged by a head that the others
// taught.
const folds = 5

// tolerance is how near to its minimum a head's loss has to come, in nats: nearer
// moves no label.
const tolerance = 1e-6

// Doubts says which labels are probably wrong, by confident learning.
type Doubts struct {
	Folds    int     `json:"folds"`
	Lambda   float64 `json:"lambda"`   // of the heads, chosen on a tenth of train
	Accuracy float64 `json:"accuracy"` // of train's labels by the heads that have not seen them
	// Thresholds are each class's mean probability of its own rows of train; null for
	// one without.
	Thresholds []*float64 `json:"thresholds"`
	// Joint counts train's rows by their label and by the class, of those whose
	// probability reaches its threshold, that is the most probable: the paper's
	// confident joint.
	Joint     [][]int        `json:"confident_joint"`
	Wrong     float64        `json:"estimated_wrong"` // share of train's labels, by the joint scaled to the classes' sizes
	Suspected map[string]int `json:"suspected"`       // rows of each split
	Confused  []Confusion    `json:"confused"`        // pairs of classes, the most confused first
}

// Confusion is how often two classes of train are taken for each other.
type Confusion struct {
	Class     string  `json:"class" parquet:"class"`
	Other     string  `json:"other" parquet:"other"`
	TakenFor  int64   `json:"taken_for" parquet:"taken_for"`   // rows of Class predicted as Other
	TakenBack int64   `json:"taken_back" parquet:"taken_back"` // and of Other as Class
	Share     float64 `json:"share" parquet:"share"`           // both, of the rows of both classes
}

// suspect is a row whose label is probably wrong.
type suspect struct {
	row, suggested int
	given, better  float32 // probabilities of its label and of the suggested class
	margin         float32
}

// DoubtRow is a suspect in the table.
type DoubtRow struct {
	Row
	Suggested   string  `parquet:"suggested,dict"`
	Margin      float32 `parquet:"margin"`      // of the label, from -1 to 1: the lower, the more doubtful
	Probability float32 `parquet:"probability"` // of the label
	Better      float32 `parquet:"suggested_probability"`
	Group       int64   `parquet:"group"`
}

// probabilityRow is what the heads think of a row.
type probabilityRow struct {
	Row
	Group int64     `parquet:"group"`
	Fold  int32     `parquet:"fold"` // whose head judged it, which has not seen it; -1 for the one fitted to all of train
	P     []float32 `parquet:"probabilities,list"`
}

// learner learns which labels to doubt.
type learner struct {
	*auditor
	heads
	*confident
	classes  int
	lambda   float64
	suspects []suspect
}

// findDoubts judges every label.
func (a *auditor) findDoubts(ctx context.Context, r *Report, train store.Matrix) error {
	l := &learner{auditor: a, confident: newConfident(len(a.Data.Classes)), classes: len(a.Data.Classes)}
	if note := l.unfit(train); note != "" {
		r.Notes = append(r.Notes, "labels are not judged: "+note)
		return nil
	}
	if err := l.fit(ctx, train); err != nil {
		return err
	}
	if err := l.learnThresholds(ctx, train); err != nil {
		return err
	}
	var failed error
	names := make([]string, l.classes)
	for k, class := range a.Data.Classes {
		names[k] = "p_" + class
	}
	err := writeLists(a, r, "probabilities", names, func(yield func(probabilityRow) bool) {
		if failed = l.judge(ctx, train, true, yield); failed != nil {
			return
		}
		for _, split := range a.held() {
			var m store.Matrix
			if m, failed = a.Store.Matrix(a.Taps, split); failed == nil {
				failed = l.judge(ctx, m, false, yield)
			}
			if failed != nil {
				return
			}
		}
	})
	if err := cmp.Or(err, failed); err != nil {
		return err
	}
	r.Labels = l.doubts(train.Labels)
	if err := write(a, r, "confused", nil, slices.Values(r.Labels.Confused)); err != nil {
		return err
	}
	return write(a, r, "labels", nil, l.rows)
}

// unfit says why there is nothing to learn from, "" where there is.
func (l *learner) unfit(train store.Matrix) string {
	seen, groups := map[int]bool{}, map[int]bool{}
	for i, y := range train.Labels {
		seen[y], groups[l.kin[train.Indices[i]]] = true, true
	}
	switch {
	case len(seen) < 2:
		return "train has fewer than two classes"
	case len(groups) < 2*folds:
		return "train has too few images"
	}
	return ""
}

// fit chooses the strength on a tenth of train, and fits a head to all of it and one
// to each fold's others. No group is on both sides anywhere.
func (l *learner) fit(ctx context.Context, train store.Matrix) (err error) {
	n, groups := len(train.Labels), l.groupsOf(train)
	o := head.LBFGSOptions{Tolerance: tolerance, Threads: l.Threads}
	var s head.Selection
	l.whole, _, s, err = head.FitCV(ctx, train.X, n, train.Dim, train.Labels, l.classes, head.CVOptions{LBFGS: o, Seed: l.Seed, Groups: groups})
	if err != nil {
		return err
	}
	if l.fold, err = head.Folds(train.Labels, l.classes, groups, folds, l.Seed); err != nil {
		return err
	}
	l.lambda, o.Lambda = s.Lambda, s.Lambda
	l.of, err = head.FitFolds(ctx, train.X, n, train.Dim, train.Labels, l.classes, l.fold, folds, o)
	return err
}

// learnThresholds takes the thresholds of train's classes.
func (l *learner) learnThresholds(ctx context.Context, train store.Matrix) error {
	defer l.settle()
	return eachBlock(ctx, train, func(from, to int) error {
		p := fit.Probabilities(l.logits(train, true, from, to), l.classes)
		for i, y := range train.Labels[from:to] {
			l.learn(p[i*l.classes:(i+1)*l.classes], y)
		}
		return nil
	})
}

// judge yields what the heads think of each row of m, and collects the suspects.
func (l *learner) judge(ctx context.Context, m store.Matrix, train bool, yield func(probabilityRow) bool) error {
	return eachBlock(ctx, m, func(from, to int) error {
		all := fit.Probabilities(l.logits(m, train, from, to), l.classes)
		for i := from; i < to; i++ {
			at, y, p := m.Indices[i], m.Labels[i], all[(i-from)*l.classes:(i-from+1)*l.classes]
			out := probabilityRow{l.row(at), int64(l.group[at]), -1, p}
			if train {
				out.Fold = int32(l.fold[i])
				l.count(p, y)
			}
			if k, wrong := l.suspect(p, y); wrong {
				l.suspects = append(l.suspects, suspect{at, k, p[y], p[k], margin(p, y)})
			}
			if !yield(out) {
				return errStopped
			}
		}
		return nil
	})
}

// errStopped ends judging when nobody takes the rows any more, because they could not
// be written.
var errStopped = errors.New("writing stopped")

// rows are the suspects, train's first, the most doubtful before the others.
func (l *learner) rows(yield func(DoubtRow) bool) {
	slices.SortStableFunc(l.suspects, func(a, b suspect) int {
		x, y := l.Data.Samples[a.row].Split, l.Data.Samples[b.row].Split
		return cmp.Or(cmp.Compare(l.order(x), l.order(y)), cmp.Compare(a.margin, b.margin))
	})
	for _, s := range l.suspects {
		if !yield(DoubtRow{l.row(s.row), l.Data.Classes[s.suggested], s.margin, s.given, s.better, int64(l.group[s.row])}) {
			return
		}
	}
}

// order of a split: train, then those of the dataset.
func (l *learner) order(split string) int {
	if split == dataset.Train {
		return -1
	}
	return slices.Index(l.Data.Splits, split)
}
