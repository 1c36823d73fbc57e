package checkpoint

import (
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"slices"
)

// sumsKey is the metadata that keeps the CRC-32C of each tensor's bytes, as JSON, and under metadataKey that of the other
// metadata: safetensors has no checksums, and a flipped bit would train on, or be judged, without a word. Files that lack it
// are read all the same.
const sumsKey = "graft.crc32c"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// withSums is metadata with the checksums of it and of tensors.
func withSums(tensors []Tensor, metadata map[string]string) (map[string]string, error) {
	sums := map[string]uint32{metadataKey: sumOf(metadata)}
	for _, t := range tensors {
		h := crc32.New(castagnoli)
		if err := t.writeTo(h); err != nil {
			return nil, err
		}
		sums[t.Name] = h.Sum32()
	}
	text, err := json.Marshal(sums)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(metadata)
	if out == nil {
		out = map[string]string{}
	}
	out[sumsKey] = string(text)
	return out, nil
}

// sumOf is the checksum of all metadata but the checksums.
func sumOf(metadata map[string]string) uint32 {
	h := crc32.New(castagnoli)
	for _, k := range slices.Sorted(maps.Keys(metadata)) {
		if k != sumsKey {
			fmt.Fprintf(h, "%q=%q\n", k, metadata[k])
		}
	}
	return h.Sum32()
}

// readSums has the checksums of a header looked at: the metadata's now, each tensor's when it is read whole.
func readSums(metadata map[string]string, tensors map[string]*tensor) error {
	text, ok := metadata[sumsKey]
	if !ok {
		return nil
	}
	var sums map[string]uint32
	if err := json.Unmarshal([]byte(text), &sums); err != nil {
		return fault(invalidMetadata, "", "%s: %v", sumsKey, err)
	}
	if got := sumOf(metadata); got != sums[metadataKey] {
		return fault(wrongChecksum, "", "the metadata has %08x, the file says %08x: it was damaged", got, sums[metadataKey])
	}
	for name, t := range tensors {
		sum, ok := sums[name]
		if !ok {
			return fault(invalidMetadata, name, "%s has no checksum of it", sumsKey)
		}
		t.storage = summed{t.storage, name, t.offset, int64(t.elements()) * int64(t.dtype.size), sum}
	}
	delete(metadata, sumsKey)
	return nil
}

// summed is a storage with the checksum of one tensor's bytes.
type summed struct {
	storage
	name       string
	at, length int64
	sum        uint32
}

func (s summed) section(off, n int64) (io.ReadCloser, error) {
	r, err := s.storage.section(off, n)
	if err != nil || off != s.at || n != s.length {
		return r, err
	}
	return &summing{r, crc32.New(castagnoli), s}, nil
}

// summing looks at the checksum when all has been read.
type summing struct {
	io.ReadCloser
	hash hash.Hash32
	of   summed
}

func (r *summing) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.hash.Write(p[:n])
	return n, err
}

func (r *summing) Close() error {
	if err := r.ReadCloser.Close(); err != nil {
		return err
	}
	if got := r.hash.Sum32(); got != r.of.sum {
		return fault(wrongChecksum, r.of.name, "its bytes have %08x, the file says %08x: it was damaged", got, r.of.sum)
	}
	return nil
}
