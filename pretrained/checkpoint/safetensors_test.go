package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rawSafetensors joins a header of any length claim with data.
func rawSafetensors(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), bytes.Repeat([]byte{7}, data)...)
}

func TestSafetensorsFaults(t *testing.T) {
	length := func(n uint64, rest string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
	}
	const w = `"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, c := range []struct {
		name string
		data []byte
		want faultKind
	}{
		{"seven bytes", []byte("\x02\x00\x00\x00\x00\x00{"), headerTooSmall},
		{"length beyond the cap", length(maxHeader+1, "{}"), headerTooLarge},
		{"length of 2^64-1", length(1<<64-1, "{}"), headerTooLarge},
		{"length beyond the file", length(100, "{}"), invalidHeaderLength},
		{"not UTF-8", rawSafetensors("{\"\xff\":1}", 0), invalidHeader},
		{"starts with a space", rawSafetensors(` {"a":1}`, 0), invalidHeaderStart},
		{"no JSON", rawSafetensors(`{nonsense`, 0), invalidHeaderJSON},
		{"JSON cut", rawSafetensors(`{`+w, 8), invalidHeaderJSON},
		{"text after the JSON", rawSafetensors(`{`+w+`} x`, 8), invalidHeaderJSON},
		{"second object", rawSafetensors(`{`+w+`}{}`, 8), invalidHeaderJSON},
		{"tensor is a number", rawSafetensors(`{"w":1}`, 0), invalidHeaderJSON},
		{"shape of text", rawSafetensors(`{"w":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}`, 8), invalidHeaderJSON},
		{"fractional shape", rawSafetensors(`{"w":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}`, 8), invalidHeaderJSON},
		{"name twice", rawSafetensors(`{`+w+`,`+w+`}`, 8), duplicateName},
		{"empty name", rawSafetensors(`{"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), invalidName},
		{"long name", rawSafetensors(`{"`+strings.Repeat("n", maxNameLength+1)+`":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), invalidName},
		{"metadata of numbers", rawSafetensors(`{"__metadata__":{"a":1}}`, 0), invalidMetadata},
		{"unknown dtype", rawSafetensors(`{"w":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}`, 8), unknownDType},
		{"no dtype", rawSafetensors(`{"w":{"shape":[2],"data_offsets":[0,8]}}`, 8), unknownDType},
		{"no shape", rawSafetensors(`{"w":{"dtype":"F32","data_offsets":[0,8]}}`, 8), invalidShape},
		{"negative shape", rawSafetensors(`{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), invalidShape},
		{"shape overflows", rawSafetensors(`{"w":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}`, 8), invalidShape},
		{"shape overflows to the right size", rawSafetensors(`{"w":{"dtype":"F32","shape":[4611686018427387906,4],"data_offsets":[0,32]}}`, 32), invalidShape},
		{"too many dimensions", rawSafetensors(`{"w":{"dtype":"F32","shape":[`+strings.Repeat("1,", maxRank)+`2],"data_offsets":[0,8]}}`, 8), invalidShape},
		{"no offsets", rawSafetensors(`{"w":{"dtype":"F32","shape":[2]}}`, 8), invalidOffset},
		{"one offset", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8]}}`, 8), invalidOffset},
		{"three offsets", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}`, 8), invalidOffset},
		{"negative offset", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8), invalidOffset},
		{"offsets reversed", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), invalidOffset},
		{"gap at the start", rawSafetensors(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), invalidOffset},
		{"gap between", rawSafetensors(`{`+w+`,"v":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), invalidOffset},
		{"overlap", rawSafetensors(`{`+w+`,"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), invalidOffset},
		{"same bytes twice", rawSafetensors(`{`+w+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), invalidOffset},
		{"size and offsets disagree", rawSafetensors(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), invalidTensorInfo},
		{"data missing", rawSafetensors(`{`+w+`}`, 7), incompleteBuffer},
		{"data left over", rawSafetensors(`{`+w+`}`, 9), trailingData},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readContents(bytes.NewReader(c.data), int64(len(c.data)), "")
			var f *headerFault
			if !errors.As(err, &f) || f.Kind != c.want {
				t.Errorf("error is %v, want a fault of kind %q", err, c.want)
			}
		})
	}
}

func TestSafetensorsValid(t *testing.T) {
	for _, c := range []struct {
		name   string
		header string
		data   int
		want   string
	}{
		{"no tensors", `{}`, 0, ""},
		{"trailing spaces", `{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      `, 8, "w"},
		{"zero elements", `{"e":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4, "e w"},
		{"any order", `{"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]},"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 5, "a b"},
	} {
		data := rawSafetensors(c.header, c.data)
		got, err := readContents(bytes.NewReader(data), int64(len(data)), "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var names []string
		for name := range got.tensors {
			names = append(names, name)
		}
		slices.Sort(names)
		if strings.Join(names, " ") != c.want {
			t.Errorf("%s: tensors %q, want %q", c.name, names, c.want)
		}
	}
}

func randomTensors(seed uint64) []Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	random := func(name string, shape ...int) Tensor {
		n, _ := elementCount(shape)
		t := Tensor{Name: name, Shape: shape, Data: make([]float32, n)}
		for i := range t.Data {
			t.Data[i] = float32(rng.NormFloat64())
		}
		return t
	}
	return []Tensor{random("z.weight", 3, 5), random("a.bias", 5), random("scalar"), random("empty", 0, 4), random(`odd "name" <&> é`, 2, 1, 2)}
}

func TestWriteSafetensors(t *testing.T) {
	dir := t.TempDir()
	path, again := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	tensors := randomTensors(5)
	metadata := map[string]string{"format": "pt", "b": "2", "a": "1"}
	if err := WriteSafetensors(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tensors)
	if err := WriteSafetensors(again, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) {
		t.Error("the bytes depend on the order of the tensors")
	}
	if n := headerLength(a); n%8 != 0 {
		t.Errorf("the header has %d bytes, no multiple of 8", n)
	}
	f, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m := f.Metadata(); len(m) != 3 || m["b"] != "2" {
		t.Errorf("metadata %v", m)
	}
	for _, want := range tensors {
		got, err := f.Float32(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Info(want.Name)
		if firstDifference(got, want.Data) >= 0 || !slices.Equal(info.Shape, append([]int{}, want.Shape...)) {
			t.Errorf("%s: wrote %v %v, read %v %v", want.Name, want.Shape, want.Data, info.Shape, got)
		}
	}
}

// A header of 128 bytes starts as a pickle does, with \x80.
func TestSniffHeaderLength128(t *testing.T) {
	header := `{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	data := rawSafetensors(header+strings.Repeat(" ", 128-len(header)), 8)
	if _, err := readContents(bytes.NewReader(data), int64(len(data)), ""); err != nil {
		t.Error(err)
	}
}

func TestWriteSafetensorsRefuses(t *testing.T) {
	one := []float32{1}
	for name, tensors := range map[string][]Tensor{
		"same name":      {{"a", []int{1}, one, false}, {"a", []int{1}, one, false}},
		"reserved name":  {{"__metadata__", []int{1}, one, false}},
		"no name":        {{"", []int{1}, one, false}},
		"shape too big":  {{"a", []int{2}, one, false}},
		"negative shape": {{"a", []int{-1, -1}, one, false}},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := WriteSafetensors(path, tensors, nil); err == nil {
			t.Errorf("%s was written", name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s left a file", name)
		}
	}
}

// The numbers as IEEE 754 rounds them to binary16: to the nearest, ties to even.
func TestWriteHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "half.safetensors")
	given := []float32{1. / 3, -65504, 0x1p-24, 1 + 0x1p-11, 1 + 3*0x1p-11, 0x1p-26}
	want := []float32{0x1.554p-2, -65504, 0x1p-24, 1, 1 + 0x1p-9, 0}
	if err := WriteSafetensors(path, []Tensor{{"a", []int{2, 3}, given, true}, {"b", []int{1}, []float32{1. / 3}, false}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := f.Float32("a")
	if info, _ := f.Info("a"); err != nil || info.DType != "F16" || !slices.Equal(a, want) {
		t.Errorf("%v, %v, want %v", a, err, want)
	}
	if b, err := f.Float32("b"); err != nil || b[0] != 1./3 {
		t.Errorf("float32 beside it: %v, %v", b, err)
	}
	for _, v := range []float32{65520, float32(math.Inf(-1)), float32(math.NaN())} {
		if err := WriteSafetensors(path, []Tensor{{"a", []int{1}, []float32{v}, true}}, nil); err == nil || !strings.Contains(err.Error(), "float16") {
			t.Errorf("%g: %v", v, err)
		}
	}
}

// TestEveryFlippedBitIsFound flips each bit of a file that graft wrote: it is refused, or its tensors and metadata are what they
// were.
func TestEveryFlippedBitIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	tensors := []Tensor{{"a", []int{2}, []float32{1, -2}, true}, {"b", []int{1, 3}, []float32{0.5, 3e-9, 7}, false}}
	if err := WriteSafetensors(path, tensors, map[string]string{"epoch": "3"}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func() bool {
		f, err := Open(path, "")
		if err != nil {
			return false
		}
		defer f.Close()
		for _, want := range tensors {
			info, ok := f.Info(want.Name)
			got, err := f.Float32(want.Name)
			if !ok || err != nil || !slices.Equal(info.Shape, want.Shape) {
				return false
			}
			if !slices.Equal(got, want.Data) {
				t.Errorf("%s was read as %v, want %v or an error", want.Name, got, want.Data)
			}
		}
		if got := f.Metadata(); got["epoch"] != "3" {
			t.Errorf("metadata was read as %v", got)
		}
		return true
	}
	refused := 0
	for bit := range 8 * len(whole) {
		damaged := slices.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if !same() {
			refused++
		}
	}
	// White space before the data, which fills the header up, may be another.
	if least := 8 * (len(whole) - 64); refused < least {
		t.Errorf("%d of %d flipped bits were found, want at least %d", refused, 8*len(whole), least)
	}
	if err := os.WriteFile(path, whole, 0o644); err != nil || !same() {
		t.Errorf("the file as it was written is refused (%v)", err)
	}
}
