package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// averageWords, in a key, tell weights that are the running average of others:
// the network that its training evaluates.
var averageWords = []string{"ema", "swa", "avg", "averaged", "teacher", "momentum", "target"}

// networkKeys are the other keys and modules that trainings put around a network,
// in order of preference. Those from encoder on may be parts of one, and count
// where nothing lies beside them, or as a dictionary's key.
var networkKeys = []string{
	"student", "state_dict", "model", "model_state_dict", "model_state", "module", "_orig_mod", "net", "network", "backbone",
	"encoder", "vit", "base_encoder", "image_encoder", "vision_encoder", "visual_encoder", "trunk", "weights", "params",
}

// The ranks of keys: averages first, and of these timm's two, in the order of its
// load_state_dict.
const (
	averageRank = 2
	encoderRank = averageRank + 11
	unknownRank = 1 << 8
)

func keyRank(key string) int {
	if i := slices.Index([]string{"state_dict_ema", "model_ema"}, key); i >= 0 {
		return i
	}
	if slices.ContainsFunc(strings.Split(key, "_"), func(w string) bool { return slices.Contains(averageWords, w) }) {
		return averageRank
	}
	if i := slices.Index(networkKeys, key); i >= 0 {
		return averageRank + 1 + i
	}
	return unknownRank
}

// choice is the one state dict of a file that is read.
type choice struct {
	key     string            // what leads to it, dots between; "" where there is nothing around it
	others  []string          // the keys that could have been followed instead
	ignored []string          // what was left out
	names   map[string]string // of the tensors: in the file, by those without key
}

// Whole, as a key, takes the tensors of a file without dictionaries by the names that
// they have there: for files that graft wrote.
const Whole = "."

// choose takes the state dict called key, or the preferred one where key is "",
// without the keys and modules around it.
func choose(tensors []string, key string) (*choice, error) {
	c := &choice{names: make(map[string]string, len(tensors))}
	for _, name := range tensors {
		c.names[name] = name
	}
	if key == Whole && len(c.dictionaries()) == 0 {
		return c, nil
	}
	if known := append(c.networks(), c.dictionaries()...); key != "" && !c.cut(key) {
		slices.Sort(known)
		return nil, fmt.Errorf("no state dict %s (--key) among %s", quote(key), listShort(slices.Compact(known)))
	}
	for around := c.networks(); len(around) > 0; around = c.networks() {
		c.cut(around[0])
	}
	if keys := c.dictionaries(); len(keys) > 0 {
		return nil, fmt.Errorf("its tensors lie under no usual key: name one of %s (--key)", listShort(keys))
	}
	for name := range c.names {
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("tensor %s without its prefix: %w", quote(c.path(name)), err)
		}
	}
	return c, nil
}

// networks lists the first words of the names that lead to a network, in order of
// preference. One with less than half the tensors of another leads to something
// else, such as a loss.
func (c *choice) networks() []string {
	count, most, dicts := map[string]int{}, 0, map[string]bool{}
	for name := range c.names {
		if i := strings.IndexAny(name, "."+inDict); i >= 0 {
			count[name[:i]]++
			dicts[name[:i]] = name[i:i+1] == inDict
		}
	}
	maps.DeleteFunc(count, func(word string, n int) bool {
		return keyRank(word) >= encoderRank && (keyRank(word) == unknownRank || n < len(c.names) && !dicts[word])
	})
	for _, n := range count {
		most = max(most, n)
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return 2*n < most })
	return slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(keyRank(a)-keyRank(b), strings.Compare(a, b))
	})
}

// dictionaries lists the keys that the names start with.
func (c *choice) dictionaries() []string {
	keys := map[string]bool{}
	for name := range c.names {
		if key, _, ok := strings.Cut(name, inDict); ok {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// cut keeps the tensors that key leads to, without it; there may be none.
func (c *choice) cut(key string) bool {
	inner := ""
	for _, word := range c.networks() {
		if rest, ok := strings.CutPrefix(key, word+"."); ok {
			key, inner = word, rest
		} else if word != key {
			c.others = append(c.others, c.path(word))
		}
	}
	kept := map[string]string{}
	for name, full := range c.names {
		if strings.HasPrefix(display(name), key+".") {
			kept[name[len(key)+1:]] = full
			continue
		}
		left, _, _ := strings.Cut(name, inDict)
		c.ignored = append(c.ignored, c.path(left))
	}
	c.key, c.names = c.path(key), kept
	return len(kept) > 0 && (inner == "" || c.cut(inner))
}

// path is a key or name with those that lead to it.
func (c *choice) path(name string) string {
	return strings.TrimPrefix(c.key+"."+name, ".")
}

// display is a name as people write it.
func display(name string) string { return strings.ReplaceAll(name, inDict, ".") }

// Renamed is a view of the file: the tensors that rename takes, by the names that it gives
// them, which lie under the key further in. It fails where two get one name. The view shares
// the file, and closing either closes both.
func (f *File) Renamed(key string, rename func(name string) (string, bool)) (*File, error) {
	c := *f.choice
	if key = strings.TrimSuffix(key, "."); key != "" {
		c.key = c.path(key)
	}
	c.ignored = slices.Clone(c.ignored)
	view := &File{path: f.path, parts: f.parts, contents: &contents{tensors: map[string]*tensor{}, choice: &c, metadata: f.metadata}}
	for _, name := range f.names {
		short, ok := rename(name)
		if !ok {
			c.ignored = append(c.ignored, f.choice.path(beside(name, key)))
			continue
		}
		if view.tensors[short] != nil {
			return nil, fmt.Errorf("two tensors would be %s, one of them %s", quote(short), quote(name))
		}
		view.tensors[short] = f.tensors[name]
	}
	slices.Sort(c.ignored)
	c.ignored = slices.Compact(c.ignored)
	view.names = slices.Sorted(maps.Keys(view.tensors))
	return view, nil
}

// beside is the shortest part of a name that does not lead to key.
func beside(name, key string) string {
	words, ways := strings.Split(name, "."), strings.Split(key, ".")
	n := 0
	for n < len(words)-1 && n < len(ways) && words[n] == ways[n] {
		n++
	}
	return strings.Join(words[:n+1], ".")
}

// Under is the view of the tensors whose names start with prefix, without it.
func (f *File) Under(prefix string) (*File, error) {
	return f.Renamed(prefix, func(name string) (string, bool) { return strings.CutPrefix(name, prefix) })
}

// Prefixes lists what stands before the name in the file's names, nothing or something that
// ends in a dot, sorted.
func (f *File) Prefixes(name string) []string {
	var out []string
	for _, n := range f.names {
		if p, ok := strings.CutSuffix(n, name); ok && (p == "" || strings.HasSuffix(p, ".")) {
			out = append(out, p)
		}
	}
	return out
}

// Preferred is the one of several prefixes that leads to the network to take: the only one, else
// that of an average (see Open), else that of the network which is trained; none of none.
func Preferred(prefixes []string) (string, error) {
	rank := func(prefix string) int {
		r := unknownRank
		for _, word := range strings.Split(prefix, ".") {
			r = min(r, keyRank(word))
		}
		return r
	}
	p := slices.Clone(prefixes)
	slices.SortFunc(p, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	p = slices.Compact(p)
	switch {
	case len(p) == 0:
		return "", nil
	case len(p) > 1 && rank(p[0]) == rank(p[1]):
		return "", fmt.Errorf("several networks: name one by its prefix (--prefix), %s", listShort(p))
	}
	return p[0], nil
}

// OpenPrefix is Open of the tensors whose names start with prefix: the ones that it names in the
// whole file, else in the state dict that key leads to, where left is what is still before
// the names. "" is no prefix.
func OpenPrefix(path, key, prefix string) (f *File, left string, err error) {
	prefix = strings.TrimSuffix(prefix, ".")
	if f, err = Open(path, strings.Trim(key+"."+prefix, ".")); prefix == "" || err == nil {
		return f, "", err
	}
	if f, err = Open(path, key); err != nil {
		return nil, "", err
	}
	if strings.HasSuffix("."+f.Key(), "."+prefix) {
		return f, "", nil // cut off already
	}
	if !slices.ContainsFunc(f.names, func(name string) bool { return strings.HasPrefix(name, prefix+".") }) {
		return nil, "", errors.Join(fmt.Errorf("weights file %s: no tensor's name starts with %s (--prefix)", path, quote(prefix+".")), f.Close())
	}
	return f, prefix, nil
}
