package vit

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"graft/pretrained/checkpoint"
)

// family is one source of checkpoints: how it names the tensors and what it
// leaves unsaid. Names are templates: {i} is the number of a block, {p} is
// weight or bias; one that starts with ^ takes no prefix. What else stands before all names
// is cut off first (see enter).
type family struct {
	name     string
	prefixes []string  // put before every name, depending on who saved it
	sign     string    // start of a name that tells it from families with the same patch embedding; "": none
	names    []mapping // one or several for each tensor of layout
	always   Config    // the options that all its networks have
	// classless families have networks without a class token, and some whose
	// class token has no position.
	classless bool
	gated     bool // there are networks with SwiGLU
	// unused are tensors that the network does not need for its features;
	// refused are starts of names that make it another network.
	unused  []unused
	refused []refusal
	defaults
}

// defaults is what tensors cannot tell.
type defaults struct {
	eps        float32
	activation Activation // "" is GELU
	preprocess Preprocess
	note       string // says what preprocessing was assumed
	// activationNote says what activation was assumed, where networks under the
	// same names want another.
	activationNote string
	// variants are networks under the same names that want another preprocessing.
	variants []variant
	resample resampling
	// registered is resample for networks with registers, where it differs.
	registered resampling
}

// variant is a network that its options give away.
type variant struct {
	is             func(Config) bool
	wants          Preprocess
	note           string
	activationNote string
}

// assume is what a network wants as far as its tensors tell, and the notes that
// say so.
func (f *family) assume(c Config) variant {
	if i := slices.IndexFunc(f.variants, func(v variant) bool { return v.is(c) }); i >= 0 {
		return f.variants[i]
	}
	return variant{wants: f.preprocess, note: f.note, activationNote: f.activationNote}
}

// mapping leads from a tensor of layout to the checkpoint's: one name, or several
// that are stacked along the first axis in equal parts.
type mapping struct {
	ours   string
	theirs []string
	form
}

// form is how a checkpoint's tensor differs from graft's.
type form struct {
	flat       bool // leading axes of 1 are left out
	transposed bool // [in,out]
	third      int  // ours is a part of theirs, which is q, k and v: 1 is q, 2 is k and v
}

// unused tells of tensors that are left out on purpose: their names' starts and
// what they are, for the notes. Starts with ^ take no prefix, and count only
// where there is one: without, the file is not the whole model's.
type unused struct {
	what   string
	starts []string
}

type refusal struct{ start, why string }

// families in the order of detection; each is recognised by its patch
// embedding's weight and its sign.
var families = []*family{&torchvision, &mae, &dinov2, &timm, &huggingFaceMAE, &huggingFaceDINOv2, &huggingFace, &openAI, &huggingFaceCLIP, &huggingFaceSigLIP}

// named is a mapping with its values put in.
type named struct {
	names []string
	form
}

// mappings lists the ways in which the tensor ours can be named in a file.
func (f *family) mappings(ours, prefix string) []named {
	key, fill := generalise(ours)
	var out []named
	for _, s := range f.names {
		if s.ours != key {
			continue
		}
		names := make([]string, len(s.theirs))
		for i, t := range s.theirs {
			names[i] = place(prefix, fill.Replace(t))
		}
		out = append(out, named{names, s.form})
	}
	return out
}

// place puts the prefix before a name, unless that starts with ^.
func place(prefix, name string) string {
	if bare, ok := strings.CutPrefix(name, "^"); ok {
		return bare
	}
	return prefix + name
}

// generalise turns blocks.3.fc1.bias into blocks.{i}.fc1.{p} and what puts the
// values back.
func generalise(name string) (key string, fill *strings.Replacer) {
	parts := strings.Split(name, ".")
	var pairs []string
	for i, p := range parts {
		switch {
		case p == "weight" || p == "bias":
			parts[i], pairs = "{p}", append(pairs, "{p}", p)
		case i == 1 && parts[0] == "blocks":
			parts[i], pairs = "{i}", append(pairs, "{i}", p)
		}
	}
	return strings.Join(parts, "."), strings.NewReplacer(pairs...)
}

// blockNumber reads the number of the block out of a checkpoint's name.
func (f *family) blockNumber(name, prefix string) (int, bool) {
	for _, s := range f.names {
		start, _, ok := strings.Cut(s.theirs[0], "{i}")
		if !ok {
			continue
		}
		rest, ok := strings.CutPrefix(name, prefix+start)
		digits, _, dot := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(digits); ok && dot && err == nil && n >= 0 {
			return n, true
		}
	}
	return 0, false
}

// recognise tells the family and the prefix of a checkpoint's names.
func recognise(f *checkpoint.File) (*family, string, bool) {
	names := f.Names()
	for _, fam := range families {
		for _, prefix := range fam.prefixes {
			if _, ok := f.Info(prefix + fam.probe()); ok && (fam.sign == "" || startIn(names, place(prefix, fam.sign))) {
				return fam, prefix, true
			}
		}
	}
	return nil, "", false
}

// probe is the name that tells a family.
func (f *family) probe() string { return f.mappings("patch.weight", "")[0].names[0] }

// enter is the network in a file, which may stand behind any prefix: that of the caller, else
// the only one behind which a family's patch embedding is found, an average's (see
// checkpoint.Preferred) before others. Blocks in chunks are counted through (DINOv2's training).
func enter(f *checkpoint.File, prefix string) (*checkpoint.File, *family, string, error) {
	f, err := unchunked(f)
	if err != nil {
		return nil, nil, "", err
	}
	if prefix == "" {
		if fam, inner, ok := recognise(f); ok {
			return f, fam, inner, nil
		}
		if prefix, err = checkpoint.Preferred(outer(f)); err != nil {
			return nil, nil, "", err
		}
		if prefix == "" {
			var wanted []string
			for _, fam := range families {
				wanted = append(wanted, fmt.Sprintf("%q", fam.probe()))
			}
			slices.Sort(wanted)
			return nil, nil, "", fmt.Errorf("no vision transformer that graft knows by name: it has no patch embedding called %s", strings.Join(slices.Compact(wanted), ", "))
		}
	}
	within, err := f.Under(strings.TrimSuffix(prefix, ".") + ".")
	if err != nil {
		return nil, nil, "", err
	}
	fam, inner, ok := recognise(within)
	if !ok {
		return nil, nil, "", fmt.Errorf("behind the prefix %q there is no vision transformer that graft knows by name", prefix)
	}
	return within, fam, inner, nil
}

// outer lists what stands before each patch embedding in the file and its family's own prefix.
func outer(f *checkpoint.File) []string {
	shortest := map[string]string{} // by the patch embedding's name
	for _, fam := range families {
		for _, inner := range fam.prefixes {
			for _, p := range f.Prefixes(inner + fam.probe()) {
				name := p + inner + fam.probe()
				if q, ok := shortest[name]; !ok || len(p) < len(q) {
					shortest[name] = p
				}
			}
		}
	}
	return slices.Collect(maps.Values(shortest))
}

var chunked = regexp.MustCompile(`((?:^|\.)blocks\.)\d+\.(\d+\.)`)

// unchunked counts blocks.2.7 as blocks.7: DINOv2's training splits the list of blocks into
// chunks, in which a block keeps its number (dinov2/models/vision_transformer.py: BlockChunk).
func unchunked(f *checkpoint.File) (*checkpoint.File, error) {
	if !slices.ContainsFunc(f.Names(), chunked.MatchString) {
		return f, nil
	}
	return f.Renamed("", func(name string) (string, bool) { return chunked.ReplaceAllString(name, "$1$2"), true })
}

// startIn tells whether one of the sorted names starts with start.
func startIn(names []string, start string) bool {
	i, _ := slices.BinarySearch(names, start)
	return i < len(names) && strings.HasPrefix(names[i], start)
}
