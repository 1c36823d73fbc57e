package checkpoint

import (
	"fmt"

	"github.com/nlpodyssey/gopickle/types"
)

// A TorchScript archive (torch.jit.save) is a zip file with the pickle of a
// tree of modules, beside the code that would run them. The pickle makes each
// module from a class below __torch__ and sets its attributes from a
// dictionary: parameters, buffers, modules, numbers. Here a class makes a plain
// record of the attributes, and the names of a state dict are the paths to the
// tensors. The code is never read.

// Limits on the tree: a module may be referred to any number of times, so that
// a small pickle can spell a huge tree. All attributes count, also those left
// out: a module of many tensors under many names is as huge.
const (
	maxAttributes  = 1 << 18
	maxModuleDepth = 64
)

// scriptClass is a class below __torch__.
type scriptClass struct{}

func (scriptClass) PyNew(...any) (any, error) { return &scriptModule{}, nil }

// scriptModule is a module: a dictionary of attributes.
type scriptModule struct{ state any }

func (m *scriptModule) PySetState(state any) error {
	m.state = state
	return nil
}

// stateDict gathers the tensors of the tree. Attributes that are neither
// tensors nor modules, such as the flag training, have no place in a state
// dict.
func (m *scriptModule) stateDict() (map[string]*tensorRef, error) {
	w := &moduleWalk{tensors: map[string]*tensorRef{}}
	if err := w.visit(m, "", 0); err != nil {
		return nil, err
	}
	if len(w.tensors) == 0 {
		return nil, fmt.Errorf("the TorchScript module holds no tensors")
	}
	return w.tensors, nil
}

type moduleWalk struct {
	tensors map[string]*tensorRef
	visited int // attributes
}

func (w *moduleWalk) visit(m *scriptModule, path string, depth int) error {
	if depth > maxModuleDepth {
		return fmt.Errorf("TorchScript: more than %d modules inside each other", maxModuleDepth)
	}
	d, ok := m.state.(*types.Dict)
	if !ok {
		return fmt.Errorf("TorchScript: the attributes of the module %s are %s, want a dictionary", quote(path), kindOf(m.state))
	}
	if w.visited += len(*d); w.visited > maxAttributes {
		return fmt.Errorf("TorchScript: the modules have more than %d attributes", maxAttributes)
	}
	for _, e := range *d {
		name, ok := e.Key.(string)
		if !ok {
			return fmt.Errorf("TorchScript: the module %s has %s as an attribute's name", quote(path), kindOf(e.Key))
		}
		if len(path)+len(name) > maxNameLength {
			return fmt.Errorf("TorchScript: a name longer than %d bytes: %s", maxNameLength, quote(path+name))
		}
		var err error
		switch v := e.Value.(type) {
		case *scriptModule:
			err = w.visit(v, path+name+".", depth+1)
		case *tensorRef:
			if w.tensors[path+name] != nil {
				err = fmt.Errorf("TorchScript: the tensor %s stands twice", quote(path+name))
			}
			w.tensors[path+name] = v
		}
		if err != nil {
			return err
		}
	}
	return nil
}
