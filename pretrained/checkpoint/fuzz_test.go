package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// addSeeds adds the fixtures that match, and what the tests assemble.
func addSeeds(f *testing.F, pattern string, more ...[]byte) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds match %s: %v", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range more {
		f.Add(data)
	}
}

// readEverything opens data and reads all its tensors. Whatever the bytes say,
// a tensor has the size of its shape and is no larger than deflate could make
// the file.
func readEverything(t *testing.T, data []byte) {
	c, err := readContents(bytes.NewReader(data), int64(len(data)), "")
	if err != nil {
		return
	}
	for name, tensor := range c.tensors {
		n := tensor.elements()
		if int64(n) > int64(len(data))*maxDeflateRatio {
			t.Errorf("tensor %q has %d elements in a file of %d bytes", name, n, len(data))
			continue
		}
		x, err := tensor.float32s()
		if err == nil && len(x) != n {
			t.Errorf("tensor %q has %d elements, shape %v", name, len(x), tensor.shape)
		}
	}
}

func FuzzTorch(f *testing.F) {
	w := rawTensor{key: "0", elements: 6, shape: []int{2, 3}, strides: []int{1, 2}}
	addSeeds(f, "*.pt*", torchFile(pkFile(pkDict(pkText("w"), w.pickle())), storage24))
	f.Fuzz(readEverything)
}

// FuzzPickle wraps its input into an archive, so that the fuzzer works on the
// pickle and not on zip's checksums.
func FuzzPickle(f *testing.F) {
	w := rawTensor{key: "0", elements: 6, shape: []int{2, 3}, strides: []int{1, 2}}
	f.Add([]byte(pkFile(pkDict(pkText("w"), w.pickle()))))
	f.Add([]byte(pkFile(pkDict(pkText("model"), pkDict(pkText("module.w"), w.pickle())))))
	f.Add([]byte("\x80\x02ccollections\nOrderedDict\n)R(C\x01aNu."))
	f.Add([]byte("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00}."))
	f.Fuzz(func(t *testing.T, data []byte) {
		readEverything(t, torchFile(string(data), storage24))
	})
}

func FuzzSafetensors(f *testing.F) {
	addSeeds(f, "*.safetensors", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(readEverything)
}
