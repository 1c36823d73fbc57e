package onnx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/internal/filehash"
	"graft/internal/regular"
	"graft/onnx/onnxpb"
)

// Hash is the SHA-256 of the model at path, 64 hex digits: that of its bytes where they are all there is of it. Of a
// model with external data it is that of a list with a hash a line, the file's and then those of the files it names,
// each once and in the order of their names in bytes:
//
//	sha256sum m.onnx a.data b.data | cut -c1-64 | sha256sum
//
// The end of ctx ends the reading.
func Hash(ctx context.Context, path string) (string, error) {
	f, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	locations := map[string]bool{}
	err = findLocations(&scanner{r: f, end: info.Size()}, (&onnxpb.ModelProto{}).ProtoReflect().Descriptor(), 0, locations)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	sum, err := filehash.Reader(filehash.WithContext(ctx, f))
	if err != nil || len(locations) == 0 {
		return sum, err
	}
	list := sum + "\n"
	for _, location := range slices.Sorted(maps.Keys(locations)) {
		beside, err := besidePath(path, location)
		if err == nil {
			sum, err = filehash.File(ctx, beside)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		list += sum + "\n"
	}
	return filehash.Reader(strings.NewReader(list))
}

// findLocations adds the names of the files that tensors anywhere in a message keep data in.
func findLocations(s *scanner, d protoreflect.MessageDescriptor, depth int, locations map[string]bool) error {
	if depth > maxDepth {
		return fmt.Errorf("messages are nested more than %d deep", maxDepth)
	}
	var tensor []byte
	for f, err := range s.fields() {
		fd := d.Fields().ByNumber(f.num)
		switch {
		case err != nil, fd == nil:
		case d.Name() == "TensorProto" && (fd.Name() == "external_data" || fd.Name() == "data_location"):
			at := len(tensor)
			tensor = append(tensor, make([]byte, min(f.end()-f.start, maxStructureBytes))...)
			err = readFull(s.r, tensor[at:], f.start)
		case fd.Message() != nil && f.typ == protowire.BytesType:
			err = s.within(f, func() error { return findLocations(s, fd.Message(), depth+1, locations) })
		}
		if err != nil {
			return err
		}
	}
	var p onnxpb.TensorProto // with all of it that matters here
	if err := proto.Unmarshal(tensor, &p); err != nil {
		return fmt.Errorf("not an ONNX model: %w", err)
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		locations[externalData(&p)["location"]] = true
	}
	return nil
}
