package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// The assembler below writes the pickles that torch would not.

func pkInt(n int) string {
	return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n))))
}

func pkText(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pkInts(v []int) string {
	out := "("
	for _, n := range v {
		out += pkInt(n)
	}
	return out + "t"
}

type rawTensor struct {
	class           string
	key             string
	elements        int
	offset          int
	shape, strides  []int
	rebuild, suffix string
}

func (r rawTensor) pickle() string {
	class, rebuild := r.class, r.rebuild
	if class == "" {
		class = "torch\nFloatStorage\n"
	}
	if rebuild == "" {
		rebuild = "torch._utils\n_rebuild_tensor_v2\n"
	}
	return "c" + rebuild + "((" + pkText("storage") + "c" + class + pkText(r.key) + pkText("cpu") + pkInt(r.elements) + "tQ" +
		pkInt(r.offset) + pkInts(r.shape) + pkInts(r.strides) + "\x89N" + r.suffix + "tR"
}

func pkDict(items ...string) string {
	return "}(" + strings.Join(items, "") + "u"
}

func pkFile(value string) string { return "\x80\x02" + value + "." }

type zipMember struct {
	name string
	data string
}

func torchZip(members ...zipMember) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(m.data))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func torchFile(pickle string, storages ...string) []byte {
	members := []zipMember{{"archive/data.pkl", pickle}}
	for i, s := range storages {
		members = append(members, zipMember{fmt.Sprintf("archive/data/%d", i), s})
	}
	return torchZip(members...)
}

func readBytes(data []byte) (*contents, error) {
	return readContents(bytes.NewReader(data), int64(len(data)), "")
}

const storage24 = "\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@\x00\x00\xa0@\x00\x00\xc0@" // 1 to 6 as float32

func TestTorchViews(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  rawTensor
		want string // the elements, or part of the error
	}{
		{"contiguous", rawTensor{elements: 6, shape: []int{2, 3}, strides: []int{3, 1}}, "[1 2 3 4 5 6]"},
		{"transposed", rawTensor{elements: 6, shape: []int{3, 2}, strides: []int{1, 3}}, "[1 4 2 5 3 6]"},
		{"offset", rawTensor{elements: 6, offset: 4, shape: []int{2}, strides: []int{1}}, "[5 6]"},
		{"step", rawTensor{elements: 6, offset: 1, shape: []int{3}, strides: []int{2}}, "[2 4 6]"},
		{"overlapping windows", rawTensor{elements: 6, shape: []int{3, 2}, strides: []int{2, 1}}, "[1 2 3 4 5 6]"},
		{"stride 0", rawTensor{elements: 6, offset: 5, shape: []int{3}, strides: []int{0}}, "[6 6 6]"},
		{"any stride of a dimension of 1", rawTensor{elements: 6, offset: 5, shape: []int{1, 1}, strides: []int{-99, 1 << 30}}, "[6]"},
		{"scalar", rawTensor{elements: 6, offset: 2}, "[3]"},
		{"empty", rawTensor{elements: 6, offset: 6, shape: []int{0}, strides: []int{1}}, "[]"},
		{"with metadata argument", rawTensor{elements: 6, shape: []int{1}, strides: []int{1}, suffix: "}"}, "[1]"},
		{"past the end", rawTensor{elements: 6, offset: 1, shape: []int{6}, strides: []int{1}}, "leaves the storage"},
		{"scalar at the end", rawTensor{elements: 6, offset: 6}, "leaves the storage"},
		{"stride past the end", rawTensor{elements: 6, shape: []int{3}, strides: []int{3}}, "leaves the storage"},
		{"stride 0 at the end", rawTensor{elements: 6, offset: 6, shape: []int{3}, strides: []int{0}}, "leaves the storage"},
		{"negative stride", rawTensor{elements: 6, offset: 5, shape: []int{3}, strides: []int{-1}}, "leaves the storage"},
		{"two strides past the end", rawTensor{elements: 6, shape: []int{2, 2}, strides: []int{4, 2}}, "leaves the storage"},
		{"huge stride", rawTensor{elements: 6, shape: []int{2, 2}, strides: []int{1<<31 - 1, 1<<31 - 1}}, "leaves the storage"},
		{"negative offset", rawTensor{elements: 6, offset: -1, shape: []int{1}, strides: []int{1}}, "from element -1"},
		{"negative shape", rawTensor{elements: 6, shape: []int{-1}, strides: []int{1}}, "negative dimension"},
		{"shape overflows", rawTensor{elements: 6, shape: []int{1 << 30, 1 << 30, 1 << 30}, strides: []int{0, 0, 0}}, "limit"},
		{"expanded", rawTensor{elements: 6, shape: []int{7}, strides: []int{0}}, "7 elements"},
		{"strides missing", rawTensor{elements: 6, shape: []int{2, 3}, strides: []int{1}}, "differ in length"},
		{"too many dimensions", rawTensor{elements: 6, shape: make([]int, maxRank+1), strides: make([]int, maxRank+1)}, "tuples of integers"},
		{"storage too short", rawTensor{elements: 7, shape: []int{1}, strides: []int{1}}, "has 24 bytes, want 7 elements"},
		{"storage too long", rawTensor{elements: 5, shape: []int{1}, strides: []int{1}}, "has 24 bytes, want 5 elements"},
		{"negative storage", rawTensor{elements: -6, shape: []int{1}, strides: []int{1}}, "persistent id"},
		{"no such storage", rawTensor{key: "../0", elements: 6, shape: []int{1}, strides: []int{1}}, `no member "archive/data/../0"`},
		{"unknown storage class", rawTensor{class: "torch\nQInt8Storage\n", elements: 6}, `"torch.QInt8Storage"`},
		{"other rebuild", rawTensor{rebuild: "torch._utils\n_rebuild_qtensor\n", elements: 6}, `"torch._utils._rebuild_qtensor"`},
		{"no storage but a size", rawTensor{class: "torch\nSize\n", elements: 6}, "persistent id"},
		{"too many arguments", rawTensor{elements: 6, shape: []int{1}, strides: []int{1}, suffix: "NN"}, "8 arguments"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.raw.key == "" {
				c.raw.key = "0"
			}
			got, err := readBytes(torchFile(pkFile(pkDict(pkText("w"), c.raw.pickle())), storage24))
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %q, want %q", err, c.want)
				}
				return
			}
			x, err := got.tensors["w"].float32s()
			if err != nil || fmt.Sprint(x) != c.want {
				t.Errorf("elements %v, %v, want %s", x, err, c.want)
			}
		})
	}
}

func TestTorchArchives(t *testing.T) {
	w := rawTensor{key: "0", elements: 6, shape: []int{6}, strides: []int{1}}.pickle()
	sd := pkDict(pkText("w"), w)
	pkl := zipMember{"archive/data.pkl", pkFile(sd)}
	data := zipMember{"archive/data/0", storage24}
	for _, c := range []struct {
		name    string
		members []zipMember
		want    string // "" for success
	}{
		{"minimal", []zipMember{pkl, data}, ""},
		{"other root", []zipMember{{"vit-b_16/data.pkl", pkFile(sd)}, {"vit-b_16/data/0", storage24}}, ""},
		{"no root", []zipMember{{"data.pkl", pkFile(sd)}, {"data/0", storage24}}, ""},
		{"little-endian", []zipMember{pkl, data, {"archive/byteorder", "little"}}, ""},
		{"wrapped three deep", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("model"), pkDict(pkText("model"), pkDict(pkText("module"), sd))))}, data}, ""},
		{"wrapped four deep", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("model"), pkDict(pkText("model"), pkDict(pkText("module"), pkDict(pkText("model"), sd)))))}, data}, "more than 3"},
		{"big-endian", []zipMember{pkl, data, {"archive/byteorder", "big"}}, "byte order"},
		{"no pickle", []zipMember{data}, "without data.pkl"},
		{"two pickles", []zipMember{pkl, data, {"b/data.pkl", pkFile(sd)}}, "two files in one"},
		{"member twice", []zipMember{pkl, data, data}, "twice"},
		{"storage missing", []zipMember{pkl}, "no member"},
		{"bytes after the pickle", []zipMember{{"archive/data.pkl", pkFile(sd) + "x"}, data}, "1 bytes after its end"},
		{"a list", []zipMember{{"archive/data.pkl", pkFile("]")}}, "want a dictionary"},
		{"a tensor", []zipMember{{"archive/data.pkl", pkFile(w)}, data}, "want a dictionary"},
		{"empty dictionary", []zipMember{{"archive/data.pkl", pkFile("}")}}, "empty dictionary"},
		{"no tensors", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("epoch"), pkInt(3)))}}, "epoch"},
		{"name twice", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("w"), w, pkText("w"), w))}, data}, "twice"},
		{"empty name", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText(""), w))}, data}, "may not be named"},
		{"name that is no UTF-8", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("\xff"), w))}, data}, "not UTF-8"},
		{"name that is all prefix", []zipMember{{"archive/data.pkl", pkFile(pkDict(pkText("module."), w))}, data}, "without its prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readBytes(torchZip(c.members...))
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// zipClaim writes an archive whose storage claims other sizes than it has.
func zipClaim(method uint16, packed, full uint64, data string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	pkl := pkFile(pkDict(pkText("w"), rawTensor{key: "0", elements: int(full / 4), shape: []int{int(full / 4)}, strides: []int{1}}.pickle()))
	f, err := w.CreateHeader(&zip.FileHeader{Name: "archive/data.pkl", Method: zip.Store})
	if err == nil {
		_, err = f.Write([]byte(pkl))
	}
	if err == nil {
		f, err = w.CreateRaw(&zip.FileHeader{Name: "archive/data/0", Method: method, CompressedSize64: packed, UncompressedSize64: full})
	}
	if err == nil {
		_, err = f.Write([]byte(data))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestZipClaims(t *testing.T) {
	for _, c := range []struct {
		name         string
		method       uint16
		packed, full uint64
		want         string
	}{
		{"longer than the file", zip.Store, 1 << 20, 1 << 20, "is it whole"},
		{"stored sizes differ", zip.Store, 4, 8, "sizes of 4 and 8"},
		{"deflate bomb", zip.Deflate, 8, 1 << 20, "more than deflate can do"},
		{"beyond the cap", zip.Deflate, 8, maxInflated + 4, "limit"},
		{"other method", 12, 8, 8, "method 12"},
	} {
		_, err := readBytes(zipClaim(c.method, c.packed, c.full, "12345678"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestDirectoryIsCapped(t *testing.T) {
	l := &limitedReaderAt{r: strings.NewReader("abcdef")}
	l.left.Store(4)
	var b [3]byte
	if _, err := l.ReadAt(b[:], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ReadAt(b[:], 3); err == nil {
		t.Error("six bytes were read under a cap of four")
	}
}
