package checkpoint

import (
	"encoding/binary"
	"strings"
	"testing"
)

// legacyFile joins the five pickles of a file from before torch 1.6 with its
// storages' data.
func legacyFile(protocol int, system, object, keys, data string) []byte {
	return []byte(legacyMagic + pkFile(pkInt(protocol)) + pkFile(system) + pkFile(object) + pkFile(keys) + data)
}

func TestLegacy(t *testing.T) {
	little := pkDict(pkText("little_endian"), "\x88")
	w := rawTensor{key: "a", elements: 6, shape: []int{6}, strides: []int{1}}.pickle()
	sd := pkDict(pkText("w"), w)
	keys := "](" + pkText("a") + "e"
	count := func(n int) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	data := count(6) + storage24
	view := strings.Replace(w, "tQ", "(NNNttQ", 1)
	for _, c := range []struct {
		name string
		file []byte
		want string // "" for success
	}{
		{"good", legacyFile(1001, little, sd, keys, data), ""},
		{"other protocol", legacyFile(1002, little, sd, keys, data), "protocol is 1002"},
		{"big-endian", legacyFile(1001, pkDict(pkText("little_endian"), "\x89"), sd, keys, data), "byte order"},
		{"no system", legacyFile(1001, "N", sd, keys, data), "system's description"},
		{"storage view", legacyFile(1001, little, pkDict(pkText("w"), view), keys, data), "before 0.4"},
		{"keys missing", legacyFile(1001, little, sd, "N", data), "want a list"},
		{"unknown key", legacyFile(1001, little, sd, "]("+pkText("b")+"e", data), `"b"`},
		{"key twice", legacyFile(1001, little, sd, "]("+pkText("a")+pkText("a")+"e", data+data), "stands twice"},
		{"no key", legacyFile(1001, little, sd, "]", ""), "no data"},
		{"count differs", legacyFile(1001, little, sd, keys, count(5)+storage24), "has 5 elements, want 6"},
		{"negative count", legacyFile(1001, little, sd, keys, count(-1)+storage24), "has -1 elements"},
		{"data cut", legacyFile(1001, little, sd, keys, data[:20]), "is it whole"},
		{"count cut", legacyFile(1001, little, sd, keys, data[:5]), "is it whole"},
		{"data left over", legacyFile(1001, little, sd, keys, data+"x"), "1 bytes after"},
		{"two descriptions", legacyFile(1001, little, pkDict(pkText("w"), w, pkText("v"), rawTensor{key: "a", elements: 5}.pickle()), keys, data), "two ways"},
		{"evil", legacyFile(1001, little, "cos\nsystem\n"+pkText("true")+"\x85R", keys, data), `"os.system"`},
	} {
		_, err := readBytes(c.file)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
