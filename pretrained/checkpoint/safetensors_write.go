package checkpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/x448/float16"

	"graft/internal/atomicfile"
)

// Tensor is a tensor to be written: row-major, as many elements as its shape
// says.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
	Half  bool // written as F16, rounded to the nearest, instead of F32
}

// stored is the name and the size in bytes of the type that numbers are written as.
func (t Tensor) stored() (dtype string, size int64) {
	if t.Half {
		return "F16", 2
	}
	return "F32", 4
}

// writeTo writes the numbers as they are stored.
func (t Tensor) writeTo(w io.Writer) error {
	for part := range slices.Chunk(t.Data, readChunk/4) {
		var data any = part
		if t.Half {
			half := make([]uint16, len(part))
			for i, v := range part {
				half[i] = float16.Fromfloat32(v).Bits()
			}
			data = half
		}
		if err := binary.Write(w, binary.LittleEndian, data); err != nil {
			return err
		}
	}
	return nil
}

// WriteSafetensors writes tensors in the safetensors format, atomically.
// The bytes depend on the arguments alone: tensors are laid out by name, and
// the header is padded so that the data starts at a multiple of eight bytes.
// It fails on a name used twice or reserved, and on a shape that does not fit
// its data. Checksums stand in the metadata, and are looked at when the file is read.
func WriteSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	metadata, err := withSums(sorted, metadata)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	header, err := encodeHeader(sorted, metadata)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := writeAll(f, header, sorted); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

func writeAll(f io.Writer, header []byte, tensors []Tensor) error {
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := t.writeTo(w); err != nil {
			return err
		}
	}
	return w.Flush()
}

// encodeHeader returns the length prefix and the padded JSON of tensors, which
// are sorted by name.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	fields := make(map[string]any, len(tensors)+1)
	end := int64(0)
	for i, t := range tensors {
		if i > 0 && t.Name == tensors[i-1].Name {
			return nil, fmt.Errorf("two tensors are named %s", quote(t.Name))
		}
		if err := checkTensor(t); err != nil {
			return nil, err
		}
		start := end
		dtype, size := t.stored()
		end += size * int64(len(t.Data))
		shape := append([]int{}, t.Shape...) // never null in the JSON
		fields[t.Name] = map[string]any{"dtype": dtype, "shape": shape, "data_offsets": [2]int64{start, end}}
	}
	if len(metadata) > 0 {
		fields[metadataKey] = metadata
	}
	text, err := json.Marshal(fields) // sorts the keys of maps
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, more than the limit of %d", len(text), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}

func checkTensor(t Tensor) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	n, err := elementCount(t.Shape)
	if err == nil && n != len(t.Data) {
		err = fmt.Errorf("shape %v wants %d elements, got %d", t.Shape, n, len(t.Data))
	}
	if err == nil && t.Half {
		if i := slices.IndexFunc(t.Data, func(v float32) bool { return !(math.Abs(float64(v)) < maxHalf) }); i >= 0 {
			err = fmt.Errorf("element %d is %g, which float16 does not hold", i, t.Data[i])
		}
	}
	if err != nil {
		return fmt.Errorf("tensor %s: %w", quote(t.Name), err)
	}
	return nil
}

// maxHalf is where numbers are rounded to infinity in float16.
const maxHalf = 65520
