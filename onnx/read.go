package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/internal/regular"
	"graft/internal/sniff"
	"graft/onnx/onnxpb"
)

// Open reads the model at path. Weights stay in the file, or in those beside it that hold the model's external data, and
// are read when their Data is; Close the model when it is no longer needed. An input that a weight of the same name
// fills is left out of Inputs. Models whose inputs or outputs are no tensors are refused, as is what exceeds the caps
// (maxStructureBytes and the constants after it), and external data outside the model's folder.
func Open(path string) (*Model, error) { return openWith(path, false) }

// OpenHeader reads the inputs, outputs and description of the model at path and
// nothing else: neither nodes nor weights.
func OpenHeader(path string) (*Model, error) {
	m, err := openWith(path, true)
	if err != nil {
		return nil, err
	}
	return m, m.Close()
}

func openWith(path string, headerOnly bool) (*Model, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	files := &files{model: f, beside: map[string]*os.File{}}
	info, err := f.Stat()
	var m *Model
	if err == nil {
		m, err = (&reader{r: f, size: info.Size(), files: files, headerOnly: headerOnly}).read()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), files.Close())
	}
	m.files = files
	return m, nil
}

// reader splits a file into its structure, which it holds, and its weights,
// which it does not.
type reader struct {
	r          io.ReaderAt
	size       int64
	files      *files // nil where the model has no path
	headerOnly bool

	model, graph []byte // the two messages without what is kept elsewhere
	weights      []weight
	names        map[string]bool // of the weights
	held         int64           // bytes of structure so far
	hasGraph     bool
}

// weight is an initialiser: its message without the content, and where that
// lies.
type weight struct {
	rest []byte
	data map[protowire.Number]field
}

func (d *reader) read() (*Model, error) {
	d.names = map[string]bool{}
	if other := sniff.OtherAt(d.r); other != "" {
		return nil, fmt.Errorf("not an ONNX model but %s", other)
	}
	if err := d.scanModel(); err != nil {
		return nil, err
	}
	if !d.hasGraph {
		return nil, errors.New("no graph in it: not an ONNX model")
	}
	mp, gp := &onnxpb.ModelProto{}, &onnxpb.GraphProto{}
	fields := 0
	for _, part := range []struct {
		bytes []byte
		into  proto.Message
	}{{d.model, mp}, {d.graph, gp}} {
		err := parse(part.bytes, part.into, &fields)
		if err == nil {
			err = d.inline(part.into)
		}
		if err != nil {
			return nil, err
		}
	}
	m, err := fromProto(mp, gp)
	if err != nil {
		return nil, err
	}
	for _, w := range d.weights {
		t, err := d.tensor(w, &fields)
		if err != nil {
			return nil, err
		}
		m.Initializers = append(m.Initializers, t)
		d.names[t.Name] = true
	}
	// Formats before 4 list all weights as inputs.
	m.Inputs = slices.DeleteFunc(m.Inputs, func(v Value) bool { return d.names[v.Name] })
	return m, nil
}

// parse unmarshals b after counting its fields.
func parse(b []byte, into proto.Message, fields *int) error {
	if err := countFields(b, into.ProtoReflect().Descriptor(), 0, fields); err != nil {
		return err
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return fmt.Errorf("not an ONNX model: %w", err)
	}
	return nil
}

// countFields walks the fields of a message, and of those inside it, before
// anything is allocated for them.
func countFields(b []byte, d protoreflect.MessageDescriptor, depth int, n *int) error {
	if depth > maxDepth {
		return fmt.Errorf("messages are nested more than %d deep", maxDepth)
	}
	for len(b) > 0 {
		if *n++; *n > maxFields {
			return fmt.Errorf("more than %d fields beside the weights", maxFields)
		}
		num, typ, size := protowire.ConsumeField(b)
		if size < 0 {
			return fmt.Errorf("not an ONNX model: %w", protowire.ParseError(size))
		}
		if fd := d.Fields().ByNumber(num); fd != nil && fd.Message() != nil && typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(b)
			inner, _ := protowire.ConsumeBytes(b[tag:])
			*n += messageFields
			if err := countFields(inner, fd.Message(), depth+1, n); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}

func (d *reader) scanModel() error {
	s := &scanner{r: d.r, end: d.size}
	for f, err := range s.fields() {
		switch {
		case err != nil:
		case f.num == modelGraph && f.typ == protowire.BytesType:
			if d.hasGraph {
				return fmt.Errorf("byte %d: a second graph", f.start)
			}
			d.hasGraph = true
			err = d.scanGraph(f)
		case d.headerOnly && (f.num == modelTraining || f.num == modelFunctions):
		default:
			d.model, err = d.hold(d.model, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *reader) scanGraph(graph field) error {
	s := &scanner{r: d.r, off: graph.body, end: graph.end()}
	for f, err := range s.fields() {
		switch {
		case err != nil:
		case f.num == graphInitializer && f.typ == protowire.BytesType:
			err = d.scanWeight(f)
		case d.headerOnly && (f.num == graphNode || f.num == graphValueInfo || f.num == graphSparse):
		default:
			d.graph, err = d.hold(d.graph, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scanWeight notes where the content of an initialiser lies: raw bytes, or a
// packed list of float32 or float64, which is the same bytes.
func (d *reader) scanWeight(tensor field) error {
	w := weight{data: map[protowire.Number]field{}}
	s := &scanner{r: d.r, off: tensor.body, end: tensor.end()}
	for f, err := range s.fields() {
		if err != nil {
			return err
		}
		content := f.num == tensorRaw || f.num == tensorFloats || f.num == tensorDoubles
		switch _, twice := w.data[f.num]; {
		case content && twice:
			return fmt.Errorf("byte %d: the content of an initialiser in several parts is not supported", f.start)
		case content && f.typ == protowire.BytesType:
			w.data[f.num] = f
		case !d.headerOnly || f.num == tensorName:
			if w.rest, err = d.hold(w.rest, f); err != nil {
				return err
			}
		}
	}
	if len(d.weights)+len(d.names) >= maxInitializers {
		return fmt.Errorf("more than %d initialisers", maxInitializers)
	}
	if !d.headerOnly {
		d.weights = append(d.weights, w)
		return nil
	}
	t := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(w.rest, t); err != nil {
		return fmt.Errorf("not an ONNX model: %w", err)
	}
	d.names[t.GetName()] = true
	return nil
}

var errTooMuch = fmt.Errorf("more than %d bytes beside the weights: graft reads weights from initialisers only, not from Constant nodes", maxStructureBytes)

// hold appends the field's bytes to b within maxStructureBytes.
func (d *reader) hold(b []byte, f field) ([]byte, error) {
	n := f.end() - f.start
	if d.held += n; d.held > maxStructureBytes {
		return nil, errTooMuch
	}
	at := len(b)
	b = append(b, make([]byte, n)...)
	return b, readFull(d.r, b[at:], f.start)
}

// tensor joins an initialiser's description with its content.
func (d *reader) tensor(w weight, fields *int) (Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := parse(w.rest, p, fields); err != nil {
		return Tensor{}, err
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		raw, err := d.files.content(p)
		if err != nil {
			return Tensor{}, fmt.Errorf("tensor %q: %w", p.GetName(), err)
		}
		return tensorFrom(p, func(num protowire.Number) Raw { return raw })
	}
	return tensorFrom(p, func(num protowire.Number) Raw {
		f, ok := w.data[num]
		if !ok {
			return nil
		}
		return fileRaw{d.r, f.body, f.size}
	})
}

// inline puts the external data of tensors within nodes and of sparse ones, which are few and small, into the messages.
func (d *reader) inline(m proto.Message) error {
	var found []*onnxpb.TensorProto
	_ = protorange.Range(m.ProtoReflect(), func(v protopath.Values) error { // fails only where this function does
		if inner, ok := v.Index(-1).Value.Interface().(protoreflect.Message); ok {
			if t, ok := inner.Interface().(*onnxpb.TensorProto); ok && t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
				found = append(found, t)
			}
		}
		return nil
	})
	for _, t := range found {
		raw, err := d.files.content(t)
		if err == nil {
			if d.held += raw.Size(); d.held > maxStructureBytes {
				return errTooMuch
			}
			b := bytes.NewBuffer(make([]byte, 0, raw.Size()))
			_, err = raw.WriteTo(b)
			t.RawData, t.DataLocation, t.ExternalData = b.Bytes(), nil, nil
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
	}
	return nil
}
