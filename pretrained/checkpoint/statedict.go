package checkpoint

import (
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// Limits on the search for tensors: a dictionary may be referred to any number of
// times, so that a small pickle can spell a huge tree.
const (
	maxWrappers = 3 // dictionaries around a state dict
	maxEntries  = 1 << 20
)

// inDict follows a dictionary's key where a dot follows a module's name.
const inDict = "\x00"

// search gathers the state dicts of an unpickled value: dictionaries with tensors
// of their own.
type search struct {
	tensors map[string]*tensorRef // by the keys that lead to them
	ignored []string              // entries without tensors
	visited int
}

// findTensors finds the tensors of an unpickled value.
func findTensors(value any) (*search, error) {
	s := &search{tensors: map[string]*tensorRef{}}
	if m, ok := value.(*scriptModule); ok {
		var err error
		s.tensors, err = m.stateDict()
		return s, err
	}
	if err := s.visit(value, "", 0); err != nil {
		return nil, fmt.Errorf("the pickle: %w", err)
	}
	if len(s.tensors) == 0 {
		return nil, fmt.Errorf("the pickle is an empty dictionary, or one without tensors (more than %d inside each other are not looked through): it holds %s", maxWrappers, listShort(s.ignored))
	}
	return s, nil
}

// visit takes the tensors of a dictionary or, where it has none, those of the
// dictionaries inside. An optimiser's are left out: it has more than its network.
func (s *search) visit(value any, path string, depth int) error {
	entries, err := dictEntries(value)
	if err != nil {
		return err
	}
	if s.visited += len(entries); s.visited > maxEntries {
		return fmt.Errorf("more than %d entries in its dictionaries", maxEntries)
	}
	var rest []string
	for name, v := range entries {
		if t, ok := v.(*tensorRef); ok {
			s.tensors[path+name] = t
		} else {
			rest = append(rest, name)
		}
	}
	for _, name := range rest {
		tensors, ignored := len(s.tensors), len(s.ignored)
		if len(rest) == len(entries) && depth < maxWrappers && isDict(entries[name]) && !strings.HasPrefix(name, "optim") {
			if err := s.visit(entries[name], path+name+inDict, depth+1); err != nil {
				return fmt.Errorf("at %s: %w", quote(name), err)
			}
		}
		if len(s.tensors) == tensors {
			s.ignored = append(s.ignored[:ignored], display(path+name))
		}
	}
	return nil
}

func isDict(v any) bool {
	switch v.(type) {
	case *types.Dict, *types.OrderedDict:
		return true
	}
	return false
}

// dictEntries returns the entries of a dictionary. Of those whose keys are no text,
// as optimiser states have, only a description of the key stays.
func dictEntries(value any) (map[string]any, error) {
	out := map[string]any{}
	add := func(k, v any) error {
		name, ok := k.(string)
		if !ok {
			name, v = "("+kindOf(k)+" as key)", nil
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
		return nil, fmt.Errorf("it is %s, want a dictionary of tensors (torch.save(model.state_dict(), F))", kindOf(value))
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

func listShort(names []string) string {
	if len(names) > 8 {
		return fmt.Sprintf("%s and %d more", quote(strings.Join(names[:8], ", ")), len(names)-8)
	}
	return quote(strings.Join(names, ", "))
}
