package vit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"graft/pretrained/checkpoint"
)

// LoadOptions are what a checkpoint's tensors do not tell.
type LoadOptions struct {
	Heads int    // attention heads; 0 takes the published number for the width, or width/64
	Name  string // the zoo's entry that the file is; empty asks the zoo by the file's hash
}

// Load recognises the source of a checkpoint by its names, reads the sizes from
// its tensors and checks every tensor by name and shape: one that is missing,
// unexpected or misshapen is an error that names it. f must stay open while the
// model is in use: weights are read when they are exported.
//
// The layer norm's epsilon comes from the family, preprocessing from the zoo or
// the family; Notes says what was assumed.
func Load(f *checkpoint.File, o LoadOptions) (*Model, error) {
	m, err := load(f, o)
	if err != nil {
		return nil, fmt.Errorf("weights file %s: %w", f.Path(), err)
	}
	return m, nil
}

func load(f *checkpoint.File, o LoadOptions) (*Model, error) {
	has := func(name string) bool { _, ok := f.Info(name); return ok }
	fam, prefix, err := recognise(has)
	if err != nil {
		return nil, err
	}
	l := &loader{file: f, family: fam, prefix: prefix}
	cfg, err := l.config(o.Heads)
	if err != nil {
		return nil, fmt.Errorf("%s names: %w", fam.name, err)
	}
	weights, err := l.weights(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s names, %s: %w", fam.name, cfg.Arch(), err)
	}
	hash, err := f.SHA256()
	if err != nil {
		return nil, err
	}
	m := &Model{
		Config: cfg, Source: filepath.Base(f.Path()), SHA256: hash, Family: fam.name,
		weights: weights, resample: fam.resample, trained: positions{weights["pos"], cfg.Grid()},
	}
	return m, m.describe(fam, o)
}

// loader matches one checkpoint with one family's names.
type loader struct {
	file   *checkpoint.File
	family *family
	prefix string
}

// find returns the names under which the file holds the tensor ours: those of
// the first spelling that is there, or the first spelling of all.
func (l *loader) find(ours string) (names []string, ok bool) {
	list := l.family.spellings(ours, l.prefix)
	for _, names := range list {
		if _, ok := l.file.Info(names[0]); ok {
			return names, true
		}
	}
	return list[0], false
}

// alternatives lists how part i of the tensor ours may be called.
func (l *loader) alternatives(ours string, i int) string {
	var names []string
	for _, s := range l.family.spellings(ours, l.prefix) {
		names = append(names, fmt.Sprintf("%q", s[i]))
	}
	return strings.Join(names, " or ")
}

// shape returns the shape of a tensor that the sizes are read from.
func (l *loader) shape(ours string, rank int) ([]int, error) {
	names, ok := l.find(ours)
	if !ok {
		return nil, fmt.Errorf("missing tensor %s", l.alternatives(ours, 0))
	}
	info, _ := l.file.Info(names[0])
	if len(info.Shape) != rank {
		return nil, fmt.Errorf("tensor %q: want %d dimensions, got %v", names[0], rank, info.Shape)
	}
	return info.Shape, nil
}

// config reads the sizes.
func (l *loader) config(heads int) (Config, error) {
	patch, err := l.shape("patch.weight", 4)
	if err != nil {
		return Config{}, err
	}
	c := Config{Width: patch[0], Patch: patch[2], Depth: l.depth(), Heads: heads, Eps: l.family.eps}
	grid, err := l.grid()
	if err != nil {
		return Config{}, err
	}
	c.Image = grid * c.Patch
	fc1, err := l.shape("blocks.0.fc1.weight", 2)
	if err != nil {
		return Config{}, err
	}
	c.MLP = fc1[0]
	if _, ok := l.find("head.weight"); ok {
		head, err := l.shape("head.weight", 2)
		if err != nil {
			return Config{}, err
		}
		c.Classes = head[0]
	}
	if c.Heads == 0 {
		if c.Heads, err = headsOf(c.Width); err != nil {
			return Config{}, err
		}
	}
	return c, c.Validate()
}

// depth is one more than the highest number of a block.
func (l *loader) depth() int {
	depth := 0
	for _, name := range l.file.Names() {
		if i, ok := l.family.blockNumber(name, l.prefix); ok {
			depth = max(depth, i+1)
		}
	}
	return depth
}

// grid reads the patches along one side from the position embedding.
func (l *loader) grid() (int, error) {
	shape, err := l.shape("pos", 3)
	if err != nil {
		return 0, err
	}
	for g := 1; g <= maxGrid; g++ {
		if 1+g*g == shape[1] {
			return g, nil
		}
	}
	names, _ := l.find("pos")
	return 0, fmt.Errorf("tensor %q: %v is not one class token and a square grid of at most %d by %d patches", names[0], shape, maxGrid, maxGrid)
}

// weights pairs every tensor of the layout with the file's, and complains about
// each that does not fit.
func (l *loader) weights(c Config) (map[string]weight, error) {
	out := map[string]weight{}
	known := map[string]bool{}
	var bad mismatch
	for _, s := range layout(c) {
		names, _ := l.find(s.name)
		part := slices.Clone(s.shape)
		part[0] /= len(names)
		for i, name := range names {
			known[name] = true
			if info, ok := l.file.Info(name); !ok {
				bad.missing = append(bad.missing, l.alternatives(s.name, i))
			} else if !slices.Equal(info.Shape, part) {
				bad.misshapen = append(bad.misshapen, fmt.Sprintf("%q (want %v, got %v)", name, part, info.Shape))
			}
		}
		out[s.name] = weight{shape: s.shape, read: func() ([]float32, error) { return l.read(names) }}
	}
	for _, name := range l.file.Names() {
		if !known[name] && !l.ignores(name) {
			bad.unexpected = append(bad.unexpected, fmt.Sprintf("%q", name)+l.why(name))
		}
	}
	return out, bad.err()
}

// read stacks the named tensors along their first axis.
func (l *loader) read(names []string) ([]float32, error) {
	if len(names) == 1 {
		return l.file.Float32(names[0])
	}
	var all []float32
	for _, name := range names {
		v, err := l.file.Float32(name)
		if err != nil {
			return nil, err
		}
		all = append(all, v...)
	}
	return all, nil
}

func (l *loader) ignores(name string) bool {
	return slices.ContainsFunc(l.family.ignored, func(start string) bool { return strings.HasPrefix(name, l.prefix+start) })
}

// why explains an unexpected tensor of a network that graft does not build.
func (l *loader) why(name string) string {
	rest := strings.TrimPrefix(name, l.prefix)
	for _, r := range l.family.refused {
		if strings.HasPrefix(rest, r.start) {
			return " (" + r.why + ")"
		}
	}
	if strings.Contains(rest, ".ls1.") || strings.Contains(rest, ".ls2.") {
		return " (layer scale, as in DeiT III and DINOv2, is not supported)"
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
