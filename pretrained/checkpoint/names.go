package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// averageWords, in a key, tell weights that are the running average of others:
// the network that its training evaluates.
var averageWords = []string{"ema", "swa", "avg", "averaged", "teacher"}

// networkKeys are the other keys and modules that trainings put around a network,
// in order of preference. Those from encoder on may be parts of one, and count
// where nothing lies beside them.
var networkKeys = []string{"student", "state_dict", "model", "model_state_dict", "module", "_orig_mod", "backbone", "encoder", "vit"}

// The ranks of keys: averages first, and of these timm's two, in the order of its
// load_state_dict.
const (
	averageRank = 2
	encoderRank = averageRank + 8
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
	count, most := map[string]int{}, 0
	for name := range c.names {
		if i := strings.IndexAny(name, "."+inDict); i >= 0 {
			count[name[:i]]++
		}
	}
	maps.DeleteFunc(count, func(word string, n int) bool {
		return keyRank(word) >= encoderRank && (keyRank(word) == unknownRank || n < len(c.names))
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
