package vit

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"graft/pretrained/checkpoint"
)

// loadOptions are what a checkpoint's tensors do not tell.
type loadOptions struct {
	Heads      int        // attention heads; 0 takes the published number for the width, or width/64
	Activation Activation // of the perceptrons; "" takes the zoo's or the family's
	// Image and Across are height and width of an oblong input in pixels: those that the
	// positions are of where they fit, else those that are wanted. Without Across, or where
	// they do not fit, what config.json beside the file says is what the positions are of,
	// else a square; Image alone is the square that is wanted of either.
	Image, Across int
	Normalized    bool   // mean and std are stated
	Name          string // the zoo's entry that the file is; empty asks the zoo by the file's hash
	Prefix        string // of the names; "" looks for it
	Positions     string // whose way of interpolating them, one of Positions; "" is the family's
}

// loadModel recognises the source of a checkpoint by its names, reads the sizes from
// its tensors and checks every tensor by name and shape: one that is missing,
// unexpected or misshapen is an error that names it. Tensors that have no part
// in the features, such as CLIP's text encoder, are told in Notes. f must stay
// open while the model is in use: weights are read when they are exported.
//
// The layer norm's epsilon comes from the family, activation and preprocessing
// from the zoo or the family; Notes says what was assumed.
func loadModel(ctx context.Context, f *checkpoint.File, o loadOptions) (*Model, error) {
	m, err := load(ctx, f, o)
	if err != nil {
		return nil, fmt.Errorf("weights file %s: %w", f.Path(), err)
	}
	return m, nil
}

func load(ctx context.Context, f *checkpoint.File, o loadOptions) (*Model, error) {
	f, fam, prefix, err := enter(f, o.Prefix)
	if err != nil {
		return nil, err
	}
	l := &loader{file: f, family: fam, prefix: prefix, size: inputSize{height: o.Image, width: o.Across, by: byFlag}}
	if l.beside, err = readBeside(f.Path(), l); err != nil {
		return nil, err
	}
	if o.Across == 0 {
		l.size = l.beside.size
	}
	if l.size.bad != nil {
		if o.Image == 0 {
			return nil, l.size.bad
		}
		l.size = inputSize{} // a square is wanted, and the positions tell which was trained
	}
	cfg, err := l.config(o)
	if err != nil {
		return nil, fmt.Errorf("%s names: %w", fam.name, err)
	}
	weights, err := l.weights(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s names, %s: %w", fam.name, cfg.Arch(), err)
	}
	hash, err := f.SHA256(ctx)
	if err != nil {
		return nil, err
	}
	source, err := filepath.Abs(f.Path())
	if err != nil {
		return nil, err
	}
	m := &Model{
		Config: cfg, Source: filepath.Base(source), SHA256: hash, Family: fam.name,
		weights: weights, resample: fam.resample, positions: weights["pos"], trained: cfg, size: l.size, Notes: append(f.Notes(), l.notes()...),
		key: f.Key(), otherKeys: f.Others(),
	}
	if cfg.Registers > 0 && fam.registered != (resampling{}) {
		m.resample = fam.registered
	}
	if cls, ok := l.find("cls"); !ok && cfg.NoClass && !cfg.AttnPool && len(cls.names) > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("there is no %q: taken as a network without a class token, whose feature is the mean of its patches", cls.names[0]))
	}
	if cfg.RMSNorm || cfg.QKRMS {
		m.Notes = append(m.Notes, "norms without a bias: taken as RMS norms, x/√(mean x² + ε); a layer norm without a bias has the same names")
	}
	if err := m.describe(fam, l.beside, o); err != nil {
		return nil, err
	}
	if r, ok := positionsBy[o.Positions]; ok {
		m.resample = r
	}
	return m, nil
}

// byFlag is who states the size of an input that the user typed.
const byFlag = "--image-size"

// loader matches one checkpoint with one family's names.
type loader struct {
	file   *checkpoint.File
	family *family
	prefix string
	size   inputSize
	beside beside         // what the files beside the weights say
	unused map[string]int // tensors left out, by what they are
}

// find returns how the file holds the tensor ours: the first mapping that is
// there, or the first mapping of all. There is none for what the family never
// has.
func (l *loader) find(ours string) (n named, ok bool) {
	list := append(l.family.mappings(ours, l.prefix), named{})
	if i := slices.IndexFunc(list, func(n named) bool { return slices.ContainsFunc(n.names, l.has) }); i >= 0 {
		return list[i], true
	}
	return list[0], false
}

func (l *loader) has(name string) bool { _, ok := l.file.Info(name); return ok }

// any tells whether the file has one of the tensors: half of a part is an
// error later on, and not a network without that part.
func (l *loader) any(ours ...string) bool {
	return slices.ContainsFunc(ours, func(name string) bool { _, ok := l.find(name); return ok })
}

// alternatives lists how part i of the tensor ours may be called.
func (l *loader) alternatives(ours string, i int) string {
	var names []string
	for _, s := range l.family.mappings(ours, l.prefix) {
		names = append(names, fmt.Sprintf("%q", s.names[min(i, len(s.names)-1)]))
	}
	return strings.Join(names, " or ")
}

// shape returns the shape, as graft has it, of a tensor that sizes are read
// from.
func (l *loader) shape(ours string, rank int) ([]int, error) {
	n, _ := l.find(ours)
	if len(n.names) == 0 || !l.has(n.names[0]) {
		return nil, fmt.Errorf("missing tensor %s", l.alternatives(ours, 0))
	}
	info, _ := l.file.Info(n.names[0])
	shape := slices.Clone(info.Shape)
	if n.transposed {
		slices.Reverse(shape)
	}
	for n.flat && len(shape) < rank {
		shape = slices.Insert(shape, 0, 1)
	}
	if len(shape) != rank {
		return nil, fmt.Errorf("tensor %q: want %d dimensions, got %v", n.names[0], rank, info.Shape)
	}
	return shape, nil
}

// weights pairs every tensor of the layout with the file's, and complains about
// each that does not fit.
func (l *loader) weights(c Config) (map[string]weight, error) {
	out := map[string]weight{}
	known := map[string]bool{}
	var bad mismatch
	for _, s := range layout(c) {
		n, _ := l.find(s.name)
		if len(n.names) == 0 {
			return nil, fmt.Errorf("these names have no %s", s.name)
		}
		for i, name := range n.names {
			known[name] = true
			want := n.shape(s.shape)
			if info, ok := l.file.Info(name); !ok {
				bad.missing = append(bad.missing, l.alternatives(s.name, i))
			} else if !slices.Equal(info.Shape, want) {
				bad.misshapen = append(bad.misshapen, fmt.Sprintf("%q (want %v, got %v)", name, want, info.Shape))
			}
		}
		out[s.name] = weight{shape: s.shape, read: func() ([]float32, error) { return l.read(n, s.shape) }}
	}
	l.unused = map[string]int{}
	behind := l.behind(known, c.Width)
	for _, name := range l.file.Names() {
		if known[name] {
			continue
		}
		if what := l.unusedAs(name); what != "" {
			l.unused[what]++
		} else if part := l.part(name); behind[part] {
			l.unused[part]++
		} else {
			bad.unexpected = append(bad.unexpected, fmt.Sprintf("%q", name)+l.why(name))
		}
	}
	return out, bad.err()
}

// unusedAs tells what a tensor is that the network does not need, else "".
func (l *loader) unusedAs(name string) string {
	for _, u := range l.family.unused {
		for _, start := range u.starts {
			whole := strings.HasPrefix(start, "^")
			if (!whole || l.prefix != "") && strings.HasPrefix(name, place(l.prefix, start)) {
				return u.what
			}
		}
	}
	return ""
}

// notes tells which tensors were left out, in the order of the table.
func (l *loader) notes() []string {
	var out []string
	for _, u := range l.family.unused {
		if n := l.unused[u.what]; n > 0 {
			out = append(out, fmt.Sprintf("not used: %s (tensors: %d)", u.what, n))
		}
		delete(l.unused, u.what)
	}
	for _, part := range slices.Sorted(maps.Keys(l.unused)) {
		out = append(out, fmt.Sprintf("not used: %s, behind the features (tensors: %d)", part, l.unused[part]))
	}
	return out
}

// why explains an unexpected tensor of a network that graft does not build.
func (l *loader) why(name string) string {
	rest := strings.TrimPrefix(name, l.prefix)
	for _, r := range l.family.refused {
		if strings.HasPrefix(rest, r.start) {
			return " (" + r.why + ")"
		}
	}
	return ""
}

// mismatch collects what is wrong with a checkpoint's tensors.
type mismatch struct{ missing, misshapen, unexpected []string }

func (b mismatch) err() error {
	var parts []string
	for _, k := range []struct {
		what  string
		names []string
	}{{"missing", b.missing}, {"misshapen", b.misshapen}, {"unexpected", b.unexpected}} {
		if len(k.names) == 0 {
			continue
		}
		const shown = 5
		s := k.what + " " + strings.Join(k.names[:min(shown, len(k.names))], ", ")
		if more := len(k.names) - shown; more > 0 {
			s += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("tensors do not fit: %s", strings.Join(parts, "; "))
}
