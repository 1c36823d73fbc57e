package store

import (
	"fmt"
	"slices"
	"strings"

	"graft/preprocess/augment"
	"graft/preprocess/dataset"
)

// Tap is one kind of feature: a folder of shards.
type Tap struct {
	Name string `json:"name"`
	Dim  int    `json:"dim"` // values a row
	// Shape is a row's where that is no vector, such as [T,D] of tokens; its product is Dim.
	Shape []int `json:"shape,omitempty"`
	DType DType `json:"dtype,omitempty"` // where it is another than the store's
	// Tensor is the ONNX tensor where the network was cut, "" of what it gives by itself.
	Tensor string `json:"tensor,omitempty"`
}

// Row is the shape of a row.
func (t Tap) Row() []int {
	if t.Shape == nil {
		return []int{t.Dim}
	}
	return t.Shape
}

// String is for people: cls (192), tokens_8 (197×192, float16).
func (t Tap) String() string {
	words := []string{strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Row()), "[]"), " ", "×")}
	if t.DType != "" {
		words = append(words, string(t.DType))
	}
	if t.Tensor != "" {
		words = append(words, "at "+t.Tensor)
	}
	return fmt.Sprintf("%s (%s)", t.Name, strings.Join(words, ", "))
}

// vector tells taps that classifiers can take side by side.
func (t Tap) vector() bool { return t.Shape == nil }

// Views says of which changed images of the train split a store has features, beside
// those of the images as they are (view 0) and, with Manifest.Flip, mirrored (view 1).
type Views struct {
	Count int    `json:"count"` // all views of an image of the train split, those two among them
	Seed  uint64 `json:"seed"`
	// Augment changes a prepared image; the seed, the image's position in the
	// dataset and the view's number, as the epoch, decide how (Pipeline.Image).
	Augment augment.Pipeline `json:"augment"`
}

// String is for people.
func (v *Views) String() string {
	if v == nil {
		return "none but the image and its mirror image"
	}
	return fmt.Sprintf("%d by %s, seed %d", v.Count, v.Augment, v.Seed)
}

// maxViews caps the views of an image.
const maxViews = 1 << 10

// viewSuffix and the view's number end the names of folders of further views.
const viewSuffix = ".view"

// folder is the files of one view of one tap.
type folder struct {
	Tap        // with the folder's name and the type of its values
	view  int  // 0 of the images as they are
	train bool // it has rows of the train split alone
}

// fixedViews are those that every row has, and views all of them.
func (m *Manifest) fixedViews() int { return map[bool]int{false: 1, true: 2}[m.Flip] }

func (m *Manifest) views() int {
	if m.Views == nil {
		return m.fixedViews()
	}
	return m.Views.Count
}

// folder is that of a tap's view.
func (m *Manifest) folder(t Tap, view int) folder {
	f := folder{t, view, view >= m.fixedViews()}
	if f.DType == "" {
		f.DType = m.DType
	}
	switch {
	case f.train:
		f.Name += fmt.Sprint(viewSuffix, view)
	case view > 0:
		f.Name += flipSuffix
	}
	return f
}

// folders lists the folders of feature files, tap by tap and a tap's by view.
func (m *Manifest) folders() []folder {
	var out []folder
	for _, t := range m.Taps {
		for v := range m.views() {
			out = append(out, m.folder(t, v))
		}
	}
	return out
}

// has tells whether the row of a split is in the folder.
func (f folder) has(split string) bool { return !f.train || split == dataset.Train }

// header is that of the folder's file of a shard with these rows.
func (f folder) header(rows []Row) npyHeader {
	n := len(rows)
	if f.train {
		n = trainRows(rows)
	}
	return npyHeader{f.DType, n, f.Row()}
}

func trainRows(rows []Row) (n int) {
	for _, r := range rows {
		if r.Split == dataset.Train {
			n++
		}
	}
	return n
}

// Bytes are those of the features of so many rows, train of which are of the train split.
func (m *Manifest) Bytes(rows, train int) (n int64) {
	for _, f := range m.folders() {
		of := rows
		if f.train {
			of = train
		}
		n += int64(of) * int64(f.Dim) * int64(f.DType.size())
	}
	return n
}

// tapNames are the names of the taps that are vectors, or of the others.
func (m *Manifest) tapNames(vectors bool) []string {
	var out []string
	for _, t := range m.Taps {
		if t.vector() == vectors {
			out = append(out, t.Name)
		}
	}
	return out
}

// known are the names of all taps, vectors first.
func (m *Manifest) known() []string { return append(m.tapNames(true), m.tapNames(false)...) }

// tap is the one of that name; ok is false where there is none.
func (m *Manifest) tap(name string) (t Tap, ok bool) {
	i := slices.IndexFunc(m.Taps, func(t Tap) bool { return t.Name == name })
	if i < 0 {
		return t, false
	}
	return m.Taps[i], true
}

func (m *Manifest) checkTaps() error {
	seen := map[string]bool{metaFolder: true, recordFolder: true}
	for _, t := range m.Taps {
		if !tapName.MatchString(t.Name) || seen[t.Name] {
			return fmt.Errorf("tap %q: names are letters, digits, _ and -, each once, and not %q or %q", t.Name, metaFolder, recordFolder)
		}
		if t.Dim < 1 || t.Dim > maxDim {
			return fmt.Errorf("tap %q has %d values a row, wanted 1 to %d", t.Name, t.Dim, maxDim)
		}
		n := 1
		for _, d := range t.Row() {
			if d < 1 || d > maxDim/n {
				n = 0
				break
			}
			n *= d
		}
		if n != t.Dim || len(t.Shape) == 1 {
			return fmt.Errorf("tap %q has %d values a row, which is not its shape %v", t.Name, t.Dim, t.Shape)
		}
		if t.DType != "" && (!t.DType.valid() || t.DType == m.DType) {
			return fmt.Errorf("tap %q: dtype %q; known are %s and %s, and the store's own, %s, is left out", t.Name, t.DType, Float32, Float16, m.DType)
		}
		seen[t.Name] = true
	}
	return nil
}

func (m *Manifest) checkViews() error {
	v := m.Views
	if v == nil {
		return nil
	}
	switch err := v.Augment.Check(); {
	case v.Count <= m.fixedViews() || v.Count > maxViews:
		return fmt.Errorf("%d views, of which %d are the image and its mirror image; wanted up to %d", v.Count, m.fixedViews(), maxViews)
	case err != nil:
		return fmt.Errorf("views: %w", err)
	case v.Augment == augment.Pipeline{}:
		return fmt.Errorf("views: %s would change nothing", v.Augment)
	case v.Augment.Crop != 0:
		return fmt.Errorf("views: %s: a crop has another size than the image as it is", v.Augment)
	case v.Augment.Mixup != 0:
		return fmt.Errorf("views: %s: mixup is of images in one batch, and changes no image by itself", v.Augment)
	}
	return nil
}
