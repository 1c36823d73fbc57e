package checkpoint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// loadPickle interprets a pickle that screenPickle passed. Nothing is executed:
// the only names a pickle may use are those of findClass, and they build the
// plain values of this file.
func loadPickle(data []byte, persistent func(any) (any, error)) (value any, err error) {
	// gopickle indexes slices and hashes keys without checking them, so a
	// malformed pickle can make it panic: that is an error like any other.
	defer func() {
		if p := recover(); p != nil {
			value, err = nil, fmt.Errorf("malformed pickle: %s", quote(fmt.Sprint(p)))
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = findClass
	u.PersistentLoad = persistent
	value, err = u.Load()
	if err != nil {
		return nil, shortError("malformed pickle", err)
	}
	return value, nil
}

// shortError keeps errors of our own, and cuts others, which may quote the
// pickle at length.
func shortError(what string, err error) error {
	if e, ok := err.(*refusedError); ok {
		return e
	}
	text := err.Error()
	if len(text) > maxNameInError {
		text = text[:maxNameInError] + "…"
	}
	return fmt.Errorf("%s: %s", what, strings.ToValidUTF8(text, "?"))
}

// refusedError tells of a name that is not on the list.
type refusedError struct{ module, name string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("the pickle asks for %s, which is none of what a state dict needs; nothing was executed "+
		"(save the weights alone: torch.save(model.state_dict(), F))", quote(e.module+"."+e.name))
}

// findClass is the list of allowed names. gopickle itself adds
// collections.OrderedDict, and two of Python 2's ways to make an empty object,
// __builtin__.object and copy_reg._reconstructor.
func findClass(module, name string) (any, error) {
	switch storage := torchStorages[name]; {
	case module == "torch._utils" && name == "_rebuild_tensor_v2":
		return rebuildTensor{}, nil
	case module == "torch._utils" && name == "_rebuild_parameter":
		return rebuildParameter{}, nil
	case module == "torch" && storage != "":
		return storageClass{dtypes[storage]}, nil
	case module == "__torch__" || strings.HasPrefix(module, "__torch__."):
		return scriptClass{}, nil
	case slices.Contains(inertNames[module], name):
		return inert{}, nil
	}
	return nil, &refusedError{module, name}
}

// inertNames are classes that training checkpoints hold beside their tensors
// (settings, scores, optimiser states). They are read as values that hold
// nothing.
var inertNames = map[string][]string{
	"argparse":    {"Namespace"},
	"builtins":    {"dict", "list", "set", "int", "float", "str"},
	"__builtin__": {"dict", "list", "set", "int", "float", "str"},
	"collections": {"defaultdict", "Counter"},
	"torch": {"Size", "device", "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8",
		"uint8", "bool", "strided", "contiguous_format", "preserve_format"},
	"numpy":                  {"dtype", "ndarray"},
	"numpy.core.multiarray":  {"scalar"},
	"numpy._core.multiarray": {"scalar"},
	"_codecs":                {"encode"},
	// Lists among the attributes of TorchScript modules.
	"torch.jit._pickle": {"build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag"},
	"pathlib":           {"PosixPath", "PurePosixPath", "WindowsPath"},
}

// inert stands for an object whose content is of no interest: it swallows
// everything a pickle does with it.
type inert struct{}

func (inert) Call(...any) (any, error)  { return inert{}, nil }
func (inert) PyNew(...any) (any, error) { return inert{}, nil }
func (inert) PySetState(any) error      { return nil }
func (inert) Set(any, any)              {}
func (inert) Append(any)                {}
func (inert) Add(any)                   {}

// storageClass is torch's class of a storage: it tells the element type.
type storageClass struct{ dtype *dtype }

// storageRef is a storage as the pickle names it.
type storageRef struct {
	dtype    *dtype
	key      string // of the zip member
	elements int
}

// persistentStorage reads torch's persistent id: the tuple ('storage', class,
// key, device, number of elements).
func persistentStorage(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() < 5 {
		return nil, fmt.Errorf("a persistent id is %T, want a tuple of 5", id)
	}
	class, okClass := t.Get(1).(storageClass)
	key, okKey := t.Get(2).(string)
	n, okN := t.Get(4).(int)
	if t.Get(0) != "storage" || !okClass || !okKey || !okN || n < 0 {
		return nil, fmt.Errorf("a persistent id is none of a storage: (%T, %T, %T, _, %T)", t.Get(0), t.Get(1), t.Get(2), t.Get(4))
	}
	return &storageRef{dtype: class.dtype, key: key, elements: n}, nil
}

// tensorRef is a tensor as the pickle describes it, unchecked.
type tensorRef struct {
	storage *storageRef
	offset  int // in elements
	shape   []int
	strides []int
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size,
// stride, requires_grad, backward_hooks[, metadata]).
type rebuildTensor struct{}

func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 6 || len(args) > 7 {
		return nil, fmt.Errorf("_rebuild_tensor_v2 has %d arguments, want 6 or 7", len(args))
	}
	s, okS := args[0].(*storageRef)
	offset, okOffset := args[1].(int)
	shape, okShape := intTuple(args[2])
	strides, okStrides := intTuple(args[3])
	if !okS || !okOffset || !okShape || !okStrides {
		return nil, fmt.Errorf("_rebuild_tensor_v2(%T, %T, %T, %T), want a storage, an integer and two tuples of integers",
			args[0], args[1], args[2], args[3])
	}
	return &tensorRef{storage: s, offset: offset, shape: shape, strides: strides}, nil
}

func intTuple(v any) ([]int, bool) {
	t, ok := v.(*types.Tuple)
	if !ok || t.Len() > maxRank {
		return nil, false
	}
	out := make([]int, t.Len())
	for i := range out {
		if out[i], ok = t.Get(i).(int); !ok {
			return nil, false
		}
	}
	return out, true
}

// rebuildParameter is torch._utils._rebuild_parameter(data, requires_grad,
// backward_hooks).
type rebuildParameter struct{}

func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("_rebuild_parameter has %d arguments, want 3", len(args))
	}
	t, ok := args[0].(*tensorRef)
	if !ok {
		return nil, fmt.Errorf("_rebuild_parameter(%T), want a tensor", args[0])
	}
	return t, nil
}
