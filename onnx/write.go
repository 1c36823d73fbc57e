package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/internal/atomicfile"
	"graft/onnx/onnxpb"
)

// maxFileBytes is the size that no ONNX file may exceed: protocol buffers end
// at 2 GiB, and readers refuse more.
const maxFileBytes = math.MaxInt32

// Numbers of fields in onnx.proto.
const (
	modelGraph       protowire.Number = 7
	modelTraining    protowire.Number = 20
	modelFunctions   protowire.Number = 25
	graphNode        protowire.Number = 1
	graphInitializer protowire.Number = 5
	graphValueInfo   protowire.Number = 13
	graphSparse      protowire.Number = 15
	tensorFloats     protowire.Number = 4
	tensorName       protowire.Number = 8
	tensorRaw        protowire.Number = 9
	tensorDoubles    protowire.Number = 10
)

// piece is a run of bytes of the file: bytes in memory, then a tensor's content.
type piece struct {
	bytes  []byte
	tensor *Tensor
}

// WriteFile writes the model to path, atomically. The same model gives the same
// bytes. Weights are streamed from wherever they are; a model that Open read may
// be written to the path it was read from. Files over maxFileBytes, models that Validate
// refuses and weights that are not finite are errors, and the file takes its name only
// after it has been read back and every one of try that is not nil, given where it lies until then, has found it good.
func (m *Model) WriteFile(path string, try ...func(path string) error) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err = m.Validate(); err == nil {
		_, err = m.WriteTo(f)
	}
	if f.Temporary() {
		for _, check := range append([]func(string) error{readable}, try...) {
			if err == nil && check != nil {
				err = check(f.Name())
			}
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// readable reads a file that was written, all but its weights.
func readable(path string) error {
	m, err := Open(path)
	if err != nil {
		return err
	}
	return errors.Join(m.Validate(), m.Close())
}

// WriteTo writes the model. Weights that are not finite are an error.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	pieces, err := m.layout()
	if err != nil {
		return 0, err
	}
	var written int64
	for _, p := range pieces {
		n, err := w.Write(p.bytes)
		written += int64(n)
		if err != nil {
			return written, err
		}
		if p.tensor == nil {
			continue
		}
		k, err := p.tensor.writeFinite(w)
		written += k
		if err == nil && k != p.tensor.Data.Size() {
			err = fmt.Errorf("data announced %d bytes and wrote %d", p.tensor.Data.Size(), k)
		}
		if err != nil {
			return written, fmt.Errorf("tensor %q: %w", p.tensor.Name, err)
		}
	}
	return written, nil
}

// layout forms all of the file but the weights, whose sizes are known. The graph
// comes last in the file and the weights last in the graph, so that a reader
// finds everything else at the start.
func (m *Model) layout() ([]piece, error) {
	head, err := marshal(m.headProto())
	if err != nil {
		return nil, err
	}
	graph, err := m.graphProto()
	if err != nil {
		return nil, err
	}
	rest, err := marshal(graph)
	if err != nil {
		return nil, err
	}
	weights, size, err := m.weightPieces()
	if err != nil {
		return nil, err
	}
	size += int64(len(rest))
	head = protowire.AppendTag(head, modelGraph, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	if int64(len(head))+size > maxFileBytes {
		return nil, m.tooLarge()
	}
	return append([]piece{{bytes: append(head, rest...)}}, weights...), nil
}

// weightPieces forms the initialisers and sums their sizes.
func (m *Model) weightPieces() ([]piece, int64, error) {
	var total int64
	pieces := make([]piece, 0, len(m.Initializers))
	for i := range m.Initializers {
		t := &m.Initializers[i]
		if err := t.check(); err != nil {
			return nil, 0, err
		}
		inner, err := marshal(&onnxpb.TensorProto{Name: proto.String(t.Name), DataType: proto.Int32(int32(t.Type)), Dims: t.Dims})
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		n := t.Data.Size()
		inner = protowire.AppendTag(inner, tensorRaw, protowire.BytesType)
		inner = protowire.AppendVarint(inner, uint64(n))
		b := protowire.AppendTag(nil, graphInitializer, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(int64(len(inner))+n))
		b = append(b, inner...)
		if n > maxFileBytes || total > maxFileBytes {
			return nil, 0, m.tooLarge() // before a sum can overflow
		}
		total += int64(len(b)) + n
		pieces = append(pieces, piece{b, t})
	}
	return pieces, total, nil
}

func (m *Model) tooLarge() error {
	return fmt.Errorf("the model has %d bytes of weights, and an ONNX file holds at most %d bytes in all; store the weights in float16", m.WeightBytes(), maxFileBytes)
}

func marshal(p proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(p)
}

// headProto is the model without its graph.
func (m *Model) headProto() *onnxpb.ModelProto {
	p := &onnxpb.ModelProto{}
	proto.Merge(p, m.extra.model)
	ir := cmp.Or(m.IRVersion, irVersion(m.Opset))
	if len(m.Initializers) > 0 {
		ir = max(ir, minIRVersion)
	}
	p.IrVersion = proto.Int64(ir)
	p.ProducerName = optional(m.Producer)
	p.ProducerVersion = optional(m.ProducerVersion)
	p.DocString = optional(m.Doc)
	p.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(m.Opset)}}
	for _, domain := range slices.Sorted(maps.Keys(m.Domains)) {
		p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(m.Domains[domain])})
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		p.MetadataProps = append(p.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(m.Metadata[key])})
	}
	return p
}

// minIRVersion is the first format that needs no inputs for weights.
const minIRVersion = 4

// irVersion is the oldest format that has the operators of opset, after the
// table in ONNX's docs/Versioning.md. Runtimes refuse formats that are too new
// for them, so older is safer.
func irVersion(opset int64) int64 {
	for _, v := range []struct{ opset, ir int64 }{{9, minIRVersion}, {10, 5}, {11, 6}, {14, 7}, {18, 8}, {20, 9}, {22, 10}, {23, 11}, {24, 12}} {
		if opset <= v.opset {
			return v.ir
		}
	}
	return 13
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// graphProto is the graph without its weights.
func (m *Model) graphProto() (*onnxpb.GraphProto, error) {
	p := &onnxpb.GraphProto{}
	proto.Merge(p, m.extra.graph)
	p.Name = proto.String(cmp.Or(m.Name, "graph")) // the format wants one
	for _, n := range m.Nodes {
		np, err := n.proto()
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Op, err)
		}
		p.Node = append(p.Node, np)
	}
	for _, v := range m.Inputs {
		p.Input = append(p.Input, v.proto())
	}
	for _, v := range m.Outputs {
		p.Output = append(p.Output, v.proto())
	}
	return p, nil
}
