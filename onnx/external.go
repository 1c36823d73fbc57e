package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"graft/internal/regular"
	"graft/internal/sniff"
	"graft/onnx/onnxpb"
)

// files are the one that a model was opened from, and those of its external data, by the location that the model names
// and as the weights need them.
type files struct {
	model  *os.File
	beside map[string]*os.File
}

func (f *files) Close() error {
	err := f.model.Close()
	for _, b := range f.beside {
		err = errors.Join(err, b.Close())
	}
	return err
}

// besidePath is where the external data called location of the model at path lies: in the model's folder or below it,
// after links are followed. Where the model itself is a link, as in caches, that of the file behind it will do.
func besidePath(path, location string) (string, error) {
	outside := fmt.Errorf("external data %q lies outside the model's folder", location)
	local := filepath.FromSlash(location)
	if !filepath.IsLocal(local) {
		return "", outside
	}
	found, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(path), local))
	if err != nil {
		return "", fmt.Errorf("external data %q belongs beside the model: %w", location, err)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	behind, e := filepath.EvalSymlinks(path)
	if err = errors.Join(err, e); err != nil {
		return "", err
	}
	for _, folder := range []string{folder, filepath.Dir(behind)} {
		if rel, err := filepath.Rel(folder, found); err == nil && filepath.IsLocal(rel) {
			return found, nil
		}
	}
	return "", outside
}

// content is where a tensor that keeps its data in another file has it.
func (f *files) content(p *onnxpb.TensorProto) (Raw, error) {
	at := externalData(p)
	location := at["location"]
	if f == nil {
		return nil, fmt.Errorf("its data lies in another file (%s), and the model was not opened by its path", location)
	}
	if f.beside[location] == nil {
		path, err := besidePath(f.model.Name(), location)
		if err != nil {
			return nil, err
		}
		if f.beside[location], err = regular.Open(path); err != nil {
			return nil, err
		}
	}
	info, err := f.beside[location].Stat()
	if err != nil {
		return nil, err
	}
	elements, err := Elements(p.Dims)
	raw := fileRaw{r: f.beside[location], n: elements * DType(p.GetDataType()).Size()}
	for key, into := range map[string]*int64{"offset": &raw.off, "length": &raw.n} {
		if word, ok := at[key]; ok && err == nil {
			*into, err = strconv.ParseInt(word, 10, 64)
		}
	}
	if err != nil || raw.off < 0 || raw.n < 0 || raw.off > info.Size() || raw.n > info.Size()-raw.off {
		tell := ""
		if other := sniff.OtherAt(f.beside[location]); other != "" {
			tell = ": it is " + other
		}
		return nil, fmt.Errorf("external data %v: not a part of the file, which has %d bytes%s", at, info.Size(), tell)
	}
	return raw, nil
}

// externalData is what a tensor says of the file that its data lies in: location, offset and length.
func externalData(p *onnxpb.TensorProto) map[string]string {
	at := map[string]string{}
	for _, e := range p.ExternalData {
		at[e.GetKey()] = e.GetValue()
	}
	return at
}

// minLinked is the size from which Link leaves weights where they are. Smaller
// ones may be constants that a runtime wants to see while it reads the graph.
const minLinked = 64 << 10

// Link returns m as bytes without the large weights that lie in files: the bytes say where (external data, in ONNX's
// words), and a runtime maps them into memory from there. folder is that of the file that Open read, against which the
// places are given; the files must stay while the bytes are in use. A model that was not opened from a file is all in
// the bytes, and folder is "".
func (m *Model) Link() (model []byte, folder string, err error) {
	if m.files != nil {
		// Runtimes refuse places outside the folder, which a link would lead to.
		path, err := filepath.EvalSymlinks(m.files.model.Name())
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return nil, "", err
		}
		folder = filepath.Dir(path)
	}
	p := m.headProto()
	if p.Graph, err = m.graphProto(); err != nil {
		return nil, "", err
	}
	for _, t := range m.Initializers {
		w, err := t.linked(folder)
		if err != nil {
			return nil, "", err
		}
		p.Graph.Initializer = append(p.Graph.Initializer, w)
	}
	model, err = marshal(p)
	return model, folder, err
}

// linked describes a tensor by its place in a file of folder, or with its content if that is small or lies elsewhere.
func (t Tensor) linked(folder string) (*onnxpb.TensorProto, error) {
	raw, lazy := t.Data.(fileRaw)
	f, ok := raw.r.(*os.File)
	if !lazy || !ok || raw.n < minLinked {
		return t.proto()
	}
	path, err := filepath.EvalSymlinks(f.Name())
	if err == nil {
		path, err = filepath.Abs(path)
	}
	place, e := filepath.Rel(folder, path)
	if err != nil || e != nil || !filepath.IsLocal(place) {
		return t.proto()
	}
	entry := func(key, value string) *onnxpb.StringStringEntryProto {
		return &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)}
	}
	return &onnxpb.TensorProto{
		Name: proto.String(t.Name), DataType: proto.Int32(int32(t.Type)), Dims: t.Dims, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{
			entry("location", filepath.ToSlash(place)), entry("offset", strconv.FormatInt(raw.off, 10)), entry("length", strconv.FormatInt(raw.n, 10)),
		},
	}, t.check()
}
