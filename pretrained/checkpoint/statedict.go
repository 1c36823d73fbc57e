package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nlpodyssey/gopickle/types"
)

// wrapperKeys are where checkpoints keep their state dict, in order of
// preference; see the package's comment.
var wrapperKeys = []string{"teacher", "student", "state_dict", "model", "model_state_dict", "module"}

// maxWrappers is how many dictionaries deep a state dict may lie.
const maxWrappers = 3

// findTensors finds the tensors of an unpickled value and what it left out.
func findTensors(value any) (map[string]*tensorRef, []string, error) {
	if m, ok := value.(*scriptModule); ok {
		tensors, err := m.stateDict()
		return tensors, nil, err
	}
	return findStateDict(value)
}

// findStateDict unwraps value. It returns the tensors by name and the names,
// with a path, of what it left out.
func findStateDict(value any) (map[string]*tensorRef, []string, error) {
	var ignored []string
	path := ""
	for range maxWrappers + 1 {
		d, err := dictEntries(value)
		if err != nil {
			return nil, nil, fmt.Errorf("the pickle%s: %w", describe(path), err)
		}
		tensors, rest := splitTensors(d)
		next := ""
		if len(tensors) == 0 {
			next = wrapped(d)
		}
		for _, name := range rest {
			if name != next {
				ignored = append(ignored, path+name)
			}
		}
		if len(tensors) > 0 {
			return tensors, ignored, nil
		}
		if next == "" {
			return nil, nil, fmt.Errorf("the pickle%s holds no tensors and none of the keys %q; it holds %s", describe(path), wrapperKeys, listShort(rest))
		}
		value, path = d[next], path+next+"."
	}
	return nil, nil, fmt.Errorf("the state dict lies more than %d dictionaries deep", maxWrappers)
}

func describe(path string) string {
	if path == "" {
		return ""
	}
	return " at " + path[:len(path)-1]
}

// dictEntries returns the entries of a dictionary. Keys that are no text, as
// optimiser states have, are kept under a description of their type.
func dictEntries(value any) (map[string]any, error) {
	out := map[string]any{}
	add := func(k, v any) error {
		name, ok := k.(string)
		if !ok {
			name = "(" + kindOf(k) + " as key)"
		} else if _, dup := out[name]; dup {
			return fmt.Errorf("the key %s stands twice", quote(name))
		}
		out[name] = v
		return nil
	}
	switch d := value.(type) {
	case *types.Dict:
		for _, e := range *d {
			if err := add(e.Key, e.Value); err != nil {
				return nil, err
			}
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := add(entry.Key, entry.Value); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("is %s, want a dictionary of tensors (torch.save(model.state_dict(), F))", kindOf(value))
	}
	if len(out) == 0 {
		return nil, errors.New("is an empty dictionary, want one of tensors")
	}
	return out, nil
}

// kindOf names a pickled value's type for people. It never quotes the value,
// which may hold itself.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case string:
		return "text"
	case bool, int, float64:
		return "a number"
	case *types.List, *types.Tuple:
		return "a list"
	case *types.Dict, *types.OrderedDict:
		return "a dictionary"
	case *tensorRef:
		return "a tensor"
	}
	return "an object"
}

func splitTensors(d map[string]any) (tensors map[string]*tensorRef, rest []string) {
	tensors = map[string]*tensorRef{}
	for name, v := range d {
		if t, ok := v.(*tensorRef); ok {
			tensors[name] = t
		} else {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return tensors, rest
}

// wrapped returns the first of wrapperKeys that holds a dictionary.
func wrapped(d map[string]any) string {
	for _, key := range wrapperKeys {
		switch d[key].(type) {
		case *types.Dict, *types.OrderedDict:
			return key
		}
	}
	return ""
}

func listShort(names []string) string {
	if len(names) > 8 {
		return fmt.Sprintf("%s and %d more", quote(fmt.Sprint(names[:8])), len(names)-8)
	}
	return quote(fmt.Sprint(names))
}
