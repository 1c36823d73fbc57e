package report

import (
	"bytes"
	"fmt"
	"slices"

	"graft/finetune/audit"
	"graft/internal/plural"
)

// Audit is what graft data audit found, with examples.
type Audit struct {
	Text      string   `json:"text"` // as the audit prints it
	Galleries []Linked `json:"galleries"`
}

// Linked is sets of images that belong together: pairs of copies, images of several labels.
type Linked struct {
	Title string   `json:"title"`
	Note  string   `json:"note"` // how many there are
	Sets  [][]Face `json:"sets"`
}

const (
	shownSets = 12 // of a gallery of pairs and sets
	setFaces  = 6  // of a set
)

func (m *maker) tellAudit(f audit.Found) *Audit {
	var b bytes.Buffer
	_ = f.Report.WriteText(&b) // a buffer takes everything
	a := &Audit{Text: b.String(), Galleries: []Linked{}}
	if m.data == nil {
		return a
	}
	for _, leak := range f.Report.Leaks {
		a.add(m.leaks(leak, f.Leaks))
	}
	a.add(m.conflicts(f))
	a.add(m.doubts(f))
	a.add(m.outliers(f))
	return a
}

// add leaves out what has no images.
func (a *Audit) add(l Linked) {
	if len(l.Sets) > 0 {
		a.Galleries = append(a.Galleries, l)
	}
}

// found is a row of a finding as a face; false, with a note, where it is none of the
// dataset's.
func (m *maker) found(r audit.Row, caption string) (Face, bool) {
	if why := m.other(int(r.Index), r.ID, r.Label); why != "" {
		m.noteOnce("the audit is of other images than those shown: ", why)
		return Face{}, false
	}
	f := Face{Index: int(r.Index), ID: r.ID, Caption: caption, Name: fmt.Sprintf("%s, %s: %s", r.ID, r.Split, caption)}
	f.Place = m.faces.large.add(f.Index)
	return f, true
}

// leaks shows pairs of two splits: those of other labels first, then some of all.
func (m *maker) leaks(leak audit.Leak, rows []audit.CopyRow) Linked {
	l := Linked{Title: fmt.Sprintf("In %s and in %s too", leak.Split, leak.Of),
		Note: fmt.Sprintf("%d of %s: %d equal (%d with another label), the others nearly so.", leak.All, plural.Of(leak.Total, "image"), leak.Equal, leak.OtherLabel)}
	var worse, others []audit.CopyRow
	for _, r := range rows {
		switch {
		case r.Split != leak.Split || r.OtherSplit != leak.Of:
		case r.Label != r.OtherLabel && len(worse) < shownSets/2:
			worse = append(worse, r)
		default:
			others = append(others, r)
		}
	}
	for _, r := range append(worse, evenly(others, shownSets-len(worse))...) {
		how := "equal"
		if r.Kind != how {
			how = fmt.Sprintf("%s, cosine %.3f", r.Kind, r.Cosine)
		}
		this, ok := m.found(r.Row, fmt.Sprintf("%s: %s", r.Split, r.Label))
		other, okay := m.found(audit.Row{Index: r.OtherIndex, ID: r.OtherID, Split: r.OtherSplit, Label: r.OtherLabel}, fmt.Sprintf("%s: %s (%s)", r.OtherSplit, r.OtherLabel, how))
		if ok && okay {
			l.Sets = append(l.Sets, []Face{this, other})
		}
	}
	return l
}

// evenly are some of a list, spread over it.
func evenly[T any](list []T, some int) (out []T) {
	n := min(some, len(list))
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}

// conflicts shows groups whose labels contradict each other, those of equal pixels first.
func (m *maker) conflicts(f audit.Found) Linked {
	c := f.Report.Conflicts
	l := Linked{Title: "Labels that contradict each other", Note: fmt.Sprintf("%s of equal images, %d more of near duplicates, %s.", plural.Of(c.Equal, "set"), c.Near, plural.Of(c.Rows, "image"))}
	sets := map[int64][]audit.ConflictRow{}
	var equal, near []int64
	for _, r := range f.Conflicts {
		if sets[r.Group] == nil {
			if r.Kind == audit.EqualPixels {
				equal = append(equal, r.Group)
			} else {
				near = append(near, r.Group)
			}
		}
		sets[r.Group] = append(sets[r.Group], r)
	}
	for _, g := range slices.Concat(evenly(equal, shownSets), evenly(near, shownSets)) {
		var set []Face
		for _, r := range sets[g][:min(len(sets[g]), setFaces)] {
			if face, ok := m.found(r.Row, fmt.Sprintf("%s (%s, %s)", r.Label, r.Split, r.Kind)); ok {
				set = append(set, face)
			}
		}
		if len(set) > 1 {
			l.Sets = append(l.Sets, set)
		}
	}
	return l
}

func (m *maker) doubts(f audit.Found) Linked {
	l := Linked{Title: "Labels that are probably wrong, the most doubtful"}
	if f.Report.Labels == nil {
		return l
	}
	l.Note = fmt.Sprintf("%d of %s; out of fold %.1f%% of train's labels are predicted, and the fewer are, the more are suspected wrongly.",
		len(f.Doubts), plural.Of(f.Report.Images, "image"), 100*f.Report.Labels.Accuracy)
	for _, r := range f.Doubts[:min(len(f.Doubts), gallerySize)] {
		if face, ok := m.found(r.Row, fmt.Sprintf("%s, rather %s %s", r.Label, r.Suggested, percent(r.Better))); ok {
			l.Sets = append(l.Sets, []Face{face})
		}
	}
	return l
}

func (m *maker) outliers(f audit.Found) Linked {
	l := Linked{Title: "Far from all others", Note: fmt.Sprintf("%s, each beside the nearest of train.", plural.Of(len(f.Outliers), "image"))}
	for _, r := range f.Outliers[:min(len(f.Outliers), shownSets)] {
		face, ok := m.found(r.Row, fmt.Sprintf("%s, distance %.2f", r.Label, r.Distance))
		near, okay := m.found(audit.Row{Index: r.NearestIndex, ID: r.NearestID, Split: "train", Label: r.NearestLabel}, "nearest: "+r.NearestLabel)
		if ok && okay {
			l.Sets = append(l.Sets, []Face{face, near})
		}
	}
	return l
}
