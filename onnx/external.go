package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"graft/onnx/onnxpb"
)

// minLinked is the size from which Link leaves weights where they are. Smaller
// ones may be constants that a runtime wants to see while it reads the graph.
const minLinked = 64 << 10

// Link returns m as bytes without the large weights that lie in the file that
// Open read: the bytes say where (external data, in ONNX's words), and a runtime maps
// them into memory from there. folder is that of the file, against which the
// places are given; the file must stay while the bytes are in use.
func (m *Model) Link() (model []byte, folder string, err error) {
	f, ok := m.closer.(*os.File)
	if !ok {
		return nil, "", errors.New("link: the model was not opened from a file, or is closed")
	}
	// Runtimes refuse places outside the folder, which a link would lead to.
	path, err := filepath.EvalSymlinks(f.Name())
	if err != nil {
		return nil, "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, "", err
	}
	p := m.headProto()
	if p.Graph, err = m.graphProto(); err != nil {
		return nil, "", err
	}
	for _, t := range m.Initializers {
		w, err := t.linked(f, filepath.Base(path))
		if err != nil {
			return nil, "", err
		}
		p.Graph.Initializer = append(p.Graph.Initializer, w)
	}
	model, err = marshal(p)
	return model, filepath.Dir(path), err
}

// linked describes a tensor by its place in the file called name, or with its
// content if that is small or lies elsewhere than in f.
func (t Tensor) linked(f *os.File, name string) (*onnxpb.TensorProto, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	p := &onnxpb.TensorProto{Name: proto.String(t.Name), DataType: proto.Int32(int32(t.Type)), Dims: t.Dims}
	raw, ok := t.Data.(fileRaw)
	if !ok || raw.r != f || raw.n < minLinked {
		var content bytes.Buffer
		if _, err := t.Data.WriteTo(&content); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		p.RawData = content.Bytes()
		return p, nil
	}
	entry := func(key, value string) *onnxpb.StringStringEntryProto {
		return &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)}
	}
	p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	p.ExternalData = []*onnxpb.StringStringEntryProto{
		entry("location", name), entry("offset", strconv.FormatInt(raw.off, 10)), entry("length", strconv.FormatInt(raw.n, 10)),
	}
	return p, nil
}
