package report

import (
	"cmp"
	"fmt"
	"slices"

	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/internal/splitmix"
)

// face is row i of predictions with what the run says of it.
func (m *maker) face(r metrics.Report, p *run.Predictions, i int, caption string) Face {
	k := len(r.Classes)
	probable := p.Probs[i*k : (i+1)*k]
	label, predicted := p.Labels[i], p.Predicted[i]
	f := Face{Index: p.Indices[i], ID: p.IDs[i], Caption: caption}
	f.Name = fmt.Sprintf("%s, labelled %s, predicted %s with %s", f.ID, r.Classes[label].Name, r.Classes[predicted].Name, percent(probable[predicted]))
	f.Place = m.faces.large.add(f.Index)
	return f
}

func percent[T float32 | float64](v T) string { return fmt.Sprintf("%.0f%%", 100*float64(v)) }

// matrix is the confusion matrix; its cells hold some of their rows, drawn by a hash of
// the rows' numbers, so that runs of one dataset show the same ones where they agree.
func (m *maker) matrix(anchor string, r metrics.Report, p *run.Predictions, perCell int) *Matrix {
	k := len(r.Classes)
	rows := make([][]int, k*k)
	if p != nil && m.data != nil {
		order := make([]int, len(p.Labels))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(drawn(p.Indices[a]), drawn(p.Indices[b])) })
		for _, i := range order {
			if c := p.Labels[i]*k + p.Predicted[i]; len(rows[c]) < perCell {
				rows[c] = append(rows[c], i)
			}
		}
	}
	x := &Matrix{Rows: make([][]Cell, k)}
	for a, class := range r.Classes {
		x.Classes = append(x.Classes, class.Name)
		for b, n := range r.Confusion[a] {
			cell := Cell{Anchor: fmt.Sprintf("%s-%d-%d", anchor, a, b), True: class.Name, Predicted: r.Classes[b].Name, Count: n,
				Share: float64(n) / float64(max(class.Total, 1)), Right: a == b, Faces: []Face{}}
			for _, i := range rows[a*k+b] {
				cell.Faces = append(cell.Faces, m.face(r, p, i, percent(p.Probs[i*k+b])))
			}
			x.Rows[a] = append(x.Rows[a], cell)
		}
	}
	return x
}

// drawn is a number that looks random, and is the same for the same row.
func drawn(index int) uint64 { return splitmix.Mix(uint64(index)) }

// galleries are the mistakes of which the run was surest, by the probability of the
// right class, and the rows of which it was least sure, by that of its prediction.
func (m *maker) galleries(r metrics.Report, p *run.Predictions) (mistakes, leastSure []Face) {
	if m.data == nil {
		return nil, nil
	}
	k := len(r.Classes)
	of := func(i, class int) float32 { return p.Probs[i*k+class] }
	var wrong, all []int
	for i, y := range p.Labels {
		all = append(all, i)
		if p.Predicted[i] != y {
			wrong = append(wrong, i)
		}
	}
	slices.SortStableFunc(wrong, func(a, b int) int { return cmp.Compare(of(a, p.Labels[a]), of(b, p.Labels[b])) })
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(of(a, p.Predicted[a]), of(b, p.Predicted[b])) })
	name := func(class int) string { return r.Classes[class].Name }
	for _, i := range wrong[:min(len(wrong), gallerySize)] {
		mistakes = append(mistakes, m.face(r, p, i, fmt.Sprintf("%s, taken for %s %s", name(p.Labels[i]), name(p.Predicted[i]), percent(of(i, p.Predicted[i])))))
	}
	for _, i := range all[:min(len(all), gallerySize)] {
		leastSure = append(leastSure, m.face(r, p, i, fmt.Sprintf("%s, predicted %s %s", name(p.Labels[i]), name(p.Predicted[i]), percent(of(i, p.Predicted[i])))))
	}
	return mistakes, leastSure
}
