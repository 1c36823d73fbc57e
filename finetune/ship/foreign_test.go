package ship

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/finetune/internal/runtest"
	"graft/finetune/model"
	"graft/onnx"
	"graft/onnx/onnxpb"
	"graft/onnx/ort/orttest"
	"graft/preprocess"
	"graft/pretrained"
	"graft/pretrained/vit/vittest"
)

// writeForeign writes a model as other tools make them: normalised float RGB
// in, features of the shape [N,6], [N,T,6] or [N,6,2,2] out.
func writeForeign(t *testing.T, rank int, opset int64) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 9))
	m := &onnx.Model{Name: "foreign", Opset: opset, Producer: "test"}
	b := onnx.NewBuilder(m)
	in := b.Input("input", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 8}, onnx.Dim{Value: 8})
	flat := b.Op("Flatten", "flat", []string{in})
	features := b.Op("MatMul", "projected", []string{flat, b.Float32s("weight", random32(rng, 192*24, 0.1), 192, 24)})
	shape, dims := []int64{-1, 24}, []onnx.Dim{{Name: "N"}, {Value: 24}}
	switch rank {
	case 3:
		shape, dims = []int64{-1, 4, 6}, []onnx.Dim{{Name: "N"}, {Value: 4}, {Value: 6}}
	case 4:
		shape, dims = []int64{-1, 6, 2, 2}, []onnx.Dim{{Name: "N"}, {Value: 6}, {Value: 2}, {Value: 2}}
	}
	b.Output("embedding", b.Op("Reshape", "shaped", []string{features, b.Int64s("shape", shape...)}), onnx.Float32, dims...)
	path := filepath.Join(t.TempDir(), "foreign.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExportOfForeignBackbones(t *testing.T) {
	orttest.Require(t)
	for _, c := range []struct {
		rank  int
		pool  string
		flip  bool
		opset int64
	}{{2, "", false, 13}, {2, "", true, 13}, {3, "cls", false, 13}, {3, "mean", true, 13}, {4, "mean", false, 13},
		{2, "", false, 9}, {3, "mean", true, 10}, {4, "mean", true, 11}, {3, "mean", true, 18}, {2, "", true, 22}} {
		t.Run(fmt.Sprint(c.rank, c.pool, c.flip, c.opset), func(t *testing.T) {
			f := &preprocess.Spec{Size: 8, Crop: 0.875, Normalization: preprocess.ImageNet, Output: "embedding", Pool: c.pool}
			dir := makeRun(t, writeForeign(t, c.rank, c.opset), f, []string{pretrained.FeaturesTap}, c.flip)
			out := filepath.Join(t.TempDir(), "whole.onnx")
			if _, err := Export(t.Context(), Config{Run: dir, Out: out}); err != nil {
				t.Fatal(err)
			}
			comparePredictors(t, dir, out)
		})
	}
}

// What the head needs and the backbone's operator set has not is refused, and no file is left.
func TestExportRefusesOperatorSets(t *testing.T) {
	orttest.Require(t)
	f := &preprocess.Spec{Size: 8, Crop: 1, Normalization: preprocess.ImageNet, Output: "embedding"}
	backbone := writeForeign(t, 2, 9)
	dir, out := makeRun(t, backbone, f, []string{pretrained.FeaturesTap}, true), filepath.Join(t.TempDir(), "whole.onnx")
	_, err := Export(t.Context(), Config{Run: dir, Out: out})
	runtest.WantError(t, err, backbone, "Slice", "operator set 9", "10 or later")
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file is left (%v)", err)
	}
}

// moveWeights moves a model's weights into a file beside it, and with all its shapes too, as onnx.save does by choice.
func moveWeights(t *testing.T, path string, all bool) (data string) {
	t.Helper()
	var p onnxpb.ModelProto
	file, err := os.ReadFile(path)
	if err == nil {
		err = proto.Unmarshal(file, &p)
	}
	var moved []byte
	for _, w := range p.GetGraph().GetInitializer() {
		if w.GetDataType() != int32(onnx.Float32) && !all {
			continue // shapes, which ONNX Runtime wants to see
		}
		w.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		for key, value := range map[string]string{"location": "weights.data", "offset": fmt.Sprint(len(moved)), "length": fmt.Sprint(len(w.RawData))} {
			w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: &key, Value: &value})
		}
		moved, w.RawData = append(moved, w.RawData...), nil
	}
	if err == nil {
		file, err = proto.Marshal(&p)
	}
	data = filepath.Join(filepath.Dir(path), "weights.data")
	if err := errors.Join(err, os.WriteFile(path, file, 0o644), os.WriteFile(data, moved, 0o644)); err != nil {
		t.Fatal(err)
	}
	return data
}

// A backbone with external data runs and is exported like any other, into one file; with other weights it is another
// backbone.
func TestExternalData(t *testing.T) {
	orttest.Require(t)
	for name, f := range map[string]*preprocess.Spec{
		"own":     nil,
		"foreign": {Size: 8, Crop: 1, Normalization: preprocess.ImageNet, Output: "embedding"},
	} {
		t.Run(name, func(t *testing.T) {
			backbone, taps := vittest.WriteTiny(t, t.TempDir()), []string{"cls"}
			if f != nil {
				backbone, taps = writeForeign(t, 2, 13), []string{pretrained.FeaturesTap}
			}
			data := moveWeights(t, backbone, f != nil)
			dir, out := makeRun(t, backbone, f, taps, false), filepath.Join(t.TempDir(), "whole.onnx")
			if _, err := Export(t.Context(), Config{Run: dir, Out: out}); err != nil {
				t.Fatal(err)
			}
			comparePredictors(t, dir, out)
			weights, err := os.ReadFile(data)
			if err != nil {
				t.Fatal(err)
			}
			weights[len(weights)-1] ^= 1
			if err := os.WriteFile(data, weights, 0o644); err != nil {
				t.Fatal(err)
			}
			_, exporting := Export(t.Context(), Config{Run: dir, Out: out})
			_, predicting := model.Open(t.Context(), dir, model.Options{Model: backbone})
			for _, err := range []error{exporting, predicting} {
				runtest.WantError(t, err, backbone, "SHA-256")
			}
		})
	}
}

// A backbone that is fixed to one image at a time, with an output that is a sequence, is judged and exported like any
// other, with mirrored images too.
func TestFixedBatch(t *testing.T) {
	orttest.Require(t)
	backbone := writeForeign(t, 2, 13)
	m, err := onnx.Open(backbone)
	if err != nil {
		t.Fatal(err)
	}
	m.Inputs[0].Dims[0], m.Outputs[0].Dims[0] = onnx.Dim{Value: 1}, onnx.Dim{Value: 1}
	fixed := filepath.Join(t.TempDir(), "fixed.onnx")
	if err := errors.Join(m.WriteFile(fixed), m.Close()); err != nil {
		t.Fatal(err)
	}
	addSequence(t, fixed)
	foreign := &preprocess.Spec{Size: 8, Crop: 1, Normalization: preprocess.ImageNet, Output: "embedding"}
	dir, out := makeRun(t, fixed, foreign, []string{pretrained.FeaturesTap}, true), filepath.Join(t.TempDir(), "whole.onnx")
	if _, err := Export(t.Context(), Config{Run: dir, Out: out}); err != nil {
		t.Fatal(err)
	}
	comparePredictors(t, dir, out)
}

// addSequence gives a model a second output, which is a sequence.
func addSequence(t *testing.T, path string) {
	t.Helper()
	var p onnxpb.ModelProto
	file, err := os.ReadFile(path)
	if err == nil {
		err = proto.Unmarshal(file, &p)
	}
	g := p.GetGraph()
	g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("SequenceConstruct"), Input: []string{g.Output[0].GetName()}, Output: []string{"list"}})
	tensor := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(onnx.Float32))}}}
	g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String("list"),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: tensor}}}})
	if err == nil {
		file, err = proto.Marshal(&p)
	}
	if err := errors.Join(err, os.WriteFile(path, file, 0o644)); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil || len(m.Outputs) != 1 || len(m.NoTensors) != 1 || m.NoTensors[0] != "list, a sequence" {
		t.Fatalf("%+v, %v", m, err)
	}
	_ = m.Close()
}
