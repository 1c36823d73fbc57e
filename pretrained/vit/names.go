package vit

import (
	"fmt"
	"strconv"
	"strings"
)

// family is one source of checkpoints: how it names the tensors and what it
// leaves unsaid. Names are templates: {i} is the number of a block, {p} is
// weight or bias.
type family struct {
	name     string
	eps      float32
	prefixes []string   // put before every name, depending on who saved it
	names    []spelling // one or several for each tensor of layout
	// ignored are starts of names that the network does not need for its
	// features; refused are starts of names that make it another network.
	ignored []string
	refused []refusal
	defaults
}

// defaults is what tensors cannot tell.
type defaults struct {
	preprocess Preprocess
	note       string // says what was assumed
	resample   resampling
}

// spelling maps a tensor of layout onto the checkpoint's: one name, or several
// that are stacked along the first axis. A name that starts with ^ takes no
// prefix.
type spelling struct {
	ours   string
	theirs []string
}

type refusal struct{ start, why string }

// families in the order of detection; each is recognised by its patch
// embedding's weight.
var families = []*family{&torchvision, &timm, &huggingFace}

// spellings lists the ways in which the tensor ours can be named in a file.
func (f *family) spellings(ours, prefix string) [][]string {
	key, fill := generalise(ours)
	var out [][]string
	for _, s := range f.names {
		if s.ours != key {
			continue
		}
		names := make([]string, len(s.theirs))
		for i, t := range s.theirs {
			if rest, bare := strings.CutPrefix(t, "^"); bare {
				names[i] = fill.Replace(rest)
			} else {
				names[i] = prefix + fill.Replace(t)
			}
		}
		out = append(out, names)
	}
	return out
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
func recognise(has func(name string) bool) (*family, string, error) {
	var wanted []string
	for _, f := range families {
		probe := f.spellings("patch.weight", "")[0][0]
		for _, prefix := range f.prefixes {
			if has(prefix + probe) {
				return f, prefix, nil
			}
		}
		wanted = append(wanted, fmt.Sprintf("%q (%s)", probe, f.name))
	}
	return nil, "", fmt.Errorf("no vision transformer that graft knows by name: it has none of %s", strings.Join(wanted, ", "))
}
