package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxHeader caps the JSON header. The reference implementation allows 100 MB;
// the header of ViT-L has 50 kB.
const maxHeader = 16 << 20

// metadataKey is the one entry of the header that is no tensor.
const metadataKey = "__metadata__"

// faultKind names what is wrong with a safetensors file, in the words of the
// reference implementation's SafeTensorError.
type faultKind string

// The faults of a safetensors file.
const (
	headerTooSmall      faultKind = "header too small"
	headerTooLarge      faultKind = "header too large"
	invalidHeaderLength faultKind = "invalid header length"
	invalidHeader       faultKind = "invalid UTF-8 in header"
	invalidHeaderStart  faultKind = "invalid start of header"
	invalidHeaderJSON   faultKind = "invalid JSON in header"
	duplicateName       faultKind = "duplicate name"
	invalidName         faultKind = "invalid name"
	invalidMetadata     faultKind = "invalid metadata"
	unknownDType        faultKind = "unknown dtype"
	invalidShape        faultKind = "invalid shape"
	invalidOffset       faultKind = "invalid offset"
	invalidTensorInfo   faultKind = "size and offsets disagree"
	incompleteBuffer    faultKind = "data missing"
	trailingData        faultKind = "data after the last tensor"
	wrongChecksum       faultKind = "wrong checksum"
)

// headerFault is a contradiction in a safetensors file.
type headerFault struct {
	Kind   faultKind
	Tensor string // the tensor concerned, or ""
	Detail string
}

func (e *headerFault) Error() string {
	if e.Tensor != "" {
		return fmt.Sprintf("safetensors: %s: tensor %s: %s", e.Kind, quote(e.Tensor), e.Detail)
	}
	return fmt.Sprintf("safetensors: %s: %s", e.Kind, e.Detail)
}

func fault(kind faultKind, tensor, format string, args ...any) error {
	return &headerFault{Kind: kind, Tensor: tensor, Detail: fmt.Sprintf(format, args...)}
}

func headerLength(head []byte) uint64 { return binary.LittleEndian.Uint64(head) }

// readSafetensors reads the header of a file of size bytes. Beside the header
// it takes memory for its entries only.
func readSafetensors(r io.ReaderAt, size int64, key string) (*contents, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	base := 8 + int64(len(header))
	if err := checkLayout(entries, size-base); err != nil {
		return nil, err
	}
	data := &fileSection{r: r, base: base, length: size - base}
	all := make(map[string]*tensor, len(entries))
	for _, e := range entries {
		all[e.name] = &tensor{dtype: e.dtype, shape: e.shape, offset: e.start, storage: data}
	}
	if err := readSums(metadata, all); err != nil {
		return nil, err
	}
	return chosen(all, key, metadata)
}

// chosen are those of all tensors that key leads to.
func chosen(all map[string]*tensor, key string, metadata map[string]string) (*contents, error) {
	taken, err := choose(slices.Collect(maps.Keys(all)), key)
	if err != nil {
		return nil, err
	}
	c := &contents{tensors: make(map[string]*tensor, len(all)), choice: taken, metadata: metadata}
	for name, full := range taken.names {
		c.tensors[name] = all[full]
	}
	return c, nil
}

func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 8 {
		return nil, fault(headerTooSmall, "", "%d bytes, want at least 8", size)
	}
	var prefix [8]byte
	if _, err := r.ReadAt(prefix[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	n := headerLength(prefix[:])
	if n > maxHeader {
		return nil, fault(headerTooLarge, "", "%d bytes, more than the limit of %d", n, maxHeader)
	}
	if int64(n) > size-8 {
		return nil, fault(invalidHeaderLength, "", "the header claims %d bytes, the file has %d", n, size-8)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, 8, int64(n)), header); err != nil {
		return nil, err
	}
	if !utf8.Valid(header) {
		return nil, fault(invalidHeader, "", "not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, fault(invalidHeaderStart, "", "want {")
	}
	return header, nil
}

// headerEntry is one tensor of the header.
type headerEntry struct {
	name       string
	dtype      *dtype
	shape      []int
	start, end int64 // in bytes from the end of the header
}

// parseHeader walks the header's top level token by token: decoding it into a
// map would hide duplicate names.
func parseHeader(header []byte) ([]headerEntry, map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if _, err := dec.Token(); err != nil {
		return nil, nil, fault(invalidHeaderJSON, "", "%v", err)
	}
	var entries []headerEntry
	metadata := map[string]string{}
	seen := map[string]bool{}
	for dec.More() {
		name, raw, err := nextField(dec)
		if err != nil {
			return nil, nil, err
		}
		if seen[name] {
			return nil, nil, fault(duplicateName, name, "stands twice in the header")
		}
		seen[name] = true
		if name == metadataKey {
			if err := json.Unmarshal(raw, &metadata); err != nil {
				return nil, nil, fault(invalidMetadata, "", "want text values: %v", err)
			}
			continue
		}
		e, err := parseEntry(name, raw)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	return entries, metadata, closeHeader(dec)
}

func nextField(dec *json.Decoder) (string, json.RawMessage, error) {
	token, err := dec.Token()
	if err != nil {
		return "", nil, fault(invalidHeaderJSON, "", "%v", err)
	}
	name, ok := token.(string)
	if !ok {
		return "", nil, fault(invalidHeaderJSON, "", "a key is %v, want text", token)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return "", nil, fault(invalidHeaderJSON, name, "%v", err)
	}
	return name, raw, nil
}

// closeHeader wants the closing brace and nothing but white space after it.
func closeHeader(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fault(invalidHeaderJSON, "", "%v", err)
	}
	if token, err := dec.Token(); err != io.EOF {
		return fault(invalidHeaderJSON, "", "%v after the closing brace", token)
	}
	return nil
}

func parseEntry(name string, raw json.RawMessage) (headerEntry, error) {
	if err := checkName(name); err != nil {
		return headerEntry{}, fault(invalidName, name, "%v", err)
	}
	var v struct {
		DType   string  `json:"dtype"`
		Shape   []int   `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return headerEntry{}, fault(invalidHeaderJSON, name, "%v", err)
	}
	dt, ok := dtypes[v.DType]
	if !ok {
		return headerEntry{}, fault(unknownDType, name, "%s is unknown or not supported", quote(v.DType))
	}
	if v.Shape == nil {
		return headerEntry{}, fault(invalidShape, name, "no shape")
	}
	n, err := elementCount(v.Shape)
	if err != nil {
		return headerEntry{}, fault(invalidShape, name, "%v", err)
	}
	if len(v.Offsets) != 2 || v.Offsets[0] < 0 || v.Offsets[1] < v.Offsets[0] {
		return headerEntry{}, fault(invalidOffset, name, "data_offsets are %v, want [start,end]", v.Offsets)
	}
	if want, got := int64(n)*int64(dt.size), v.Offsets[1]-v.Offsets[0]; want != got {
		return headerEntry{}, fault(invalidTensorInfo, name, "%s %v takes %d bytes, the offsets %v span %d", dt.name, v.Shape, want, v.Offsets, got)
	}
	return headerEntry{name: name, dtype: dt, shape: v.Shape, start: v.Offsets[0], end: v.Offsets[1]}, nil
}

// checkLayout wants the tensors to follow each other without gap or overlap
// and to fill size bytes exactly: no byte of a file belongs to two tensors or
// to none.
func checkLayout(entries []headerEntry, size int64) error {
	slices.SortFunc(entries, func(a, b headerEntry) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), strings.Compare(a.name, b.name))
	})
	end := int64(0)
	for _, e := range entries {
		if e.start != end {
			return fault(invalidOffset, e.name, "starts at byte %d, the tensor before ends at %d", e.start, end)
		}
		end = e.end
	}
	if end > size {
		return fault(incompleteBuffer, "", "the tensors take %d bytes, the file has %d", end, size)
	}
	if end < size {
		return fault(trailingData, "", "the tensors take %d bytes, the file has %d", end, size)
	}
	return nil
}

// checkName refuses names that no program gives to a tensor.
func checkName(name string) error {
	switch {
	case name == "" || name == metadataKey:
		return fmt.Errorf("a tensor may not be named %q", name)
	case len(name) > maxNameLength:
		return fmt.Errorf("a name of %d bytes, more than the limit of %d", len(name), maxNameLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %s is not UTF-8", quote(name))
	}
	return nil
}

// fileSection is a storage that lies in the file as it is.
type fileSection struct {
	r            io.ReaderAt
	base, length int64
}

func (s *fileSection) size() int64 { return s.length }

func (s *fileSection) section(off, n int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.r, s.base+off, n)), nil
}
