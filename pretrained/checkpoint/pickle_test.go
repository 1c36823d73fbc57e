package checkpoint

import (
	"runtime"
	"strings"
	"testing"
)

func TestScreenPickle(t *testing.T) {
	for _, c := range []struct {
		name, pickle string
		want         string // part of the error, "" for success
	}{
		{"empty dictionary", "\x80\x02}.", ""},
		{"framed", "\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00}.", ""},
		{"all lengths", "\x80\x02U\x01a0X\x01\x00\x00\x00a0\x8a\x01\x010\x8c\x01a0}.", ""},
		{"nothing", "", "without STOP"},
		{"no STOP", "\x80\x02}", "without STOP"},
		{"protocol 0", "\x80\x00}.", "protocol 0"},
		{"protocol 6", "\x80\x06}.", "protocol 6"},
		{"text opcode", "\x80\x02I1\n.", "0x49"},
		{"INST", "\x80\x02(ios\nsystem\n.", "0x69"},
		{"OBJ", "\x80\x02(o.", "0x6f"},
		{"text persistent id", "\x80\x02Px\n.", "0x50"},
		{"extension code", "\x80\x02\x82\x01.", "0x82"},
		{"out-of-band buffer", "\x80\x05\x97.", "0x97"},
		{"opcode 255", "\x80\x02\xff.", "0xff"},
		{"LONG4", "\x80\x02\x8b\xff\xff\xff\x7f.", "0x8b"},
		{"integer of zero bytes", "\x80\x02\x8a\x00.", "zero bytes"},
		{"text of 4 GB", "\x80\x02X\xff\xff\xff\xffabc.", "ends inside"},
		{"text of 2^64-1", "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", "ends inside"},
		{"bytes of 2^63", "\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x80abc.", "ends inside"},
		{"negative BINSTRING", "\x80\x02T\xff\xff\xff\xffa.", "ends inside"},
		{"frame beyond the end", "\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00}.", "ends inside"},
		{"length cut", "\x80\x02X\x01\x00", "ends inside"},
		{"integer cut", "\x80\x02J\x01", "ends inside"},
		{"name cut", "\x80\x02cos\nsystem", "ends inside"},
		{"deep marks", "\x80\x02" + strings.Repeat("(", maxPickleDepth+1) + ".", "marks open"},
		{"mark missing", "\x80\x02t.", "marks open"},
		{"many opcodes", "\x80\x02" + strings.Repeat("N0", maxOpcodes/2+1) + ".", "more opcodes"},
	} {
		n, err := screenPickle([]byte(c.pickle))
		switch {
		case c.want == "" && (err != nil || n != len(c.pickle)):
			t.Errorf("%s: %d bytes, %v, want %d", c.name, n, err, len(c.pickle))
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one with %s", c.name, err, c.want)
		}
	}
}

// Pickles that pass the screen and make the interpreter fail, by error or by
// panic: both have to come out as errors.
func TestLoadPickleMalformed(t *testing.T) {
	for name, pickle := range map[string]string{
		"empty stack":               "\x80\x020.",
		"odd number of items":       "\x80\x02}(NNNu.",
		"bytes as key":              "\x80\x02ccollections\nOrderedDict\n)R(C\x01aNu.",
		"bytes in a set":            "\x80\x04\x8f(C\x01a\x90.",
		"call of a dictionary":      "\x80\x02})R.",
		"call of nothing":           "\x80\x02h\x05)R.",
		"call without a tuple":      "\x80\x02ctorch\nSize\nNR.",
		"NEWOBJ of text":            "\x80\x02U\x01a)\x81.",
		"OrderedDict of a list":     "\x80\x02ccollections\nOrderedDict\n]\x85R.",
		"BUILD of a tuple":          "\x80\x02)}(U\x01aNub.",
		"persistent id of None":     "\x80\x02NQ.",
		"persistent id too short":   "\x80\x02(U\x07storaget Q.",
		"APPEND to text":            "\x80\x02U\x01aNa.",
		"STACK_GLOBAL of numbers":   "\x80\x04K\x01K\x02\x93.",
		"parameter of None":         "\x80\x02ctorch._utils\n_rebuild_parameter\n(N\x88Nt R.",
		"parameter without a value": "\x80\x02ctorch._utils\n_rebuild_parameter\n)R.",
		"tensor of nothing":         "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR.",
	} {
		pickle = strings.ReplaceAll(pickle, "t ", "t")
		if _, err := screenPickle([]byte(pickle)); err != nil {
			t.Errorf("%s does not reach the interpreter: %v", name, err)
		}
		if v, err := loadPickle([]byte(pickle), persistentStorage); err == nil {
			t.Errorf("%s gives %v, want an error", name, v)
		}
	}
}

// Only the listed names are let through, whatever looks like one of them.
func TestFindClass(t *testing.T) {
	for _, allowed := range [][2]string{
		{"torch._utils", "_rebuild_tensor_v2"}, {"torch", "HalfStorage"}, {"argparse", "Namespace"}, {"torch", "float16"},
	} {
		if _, err := findClass(allowed[0], allowed[1]); err != nil {
			t.Error(err)
		}
	}
	for _, refused := range [][2]string{
		{"os", "system"}, {"posix", "system"}, {"builtins", "eval"}, {"builtins", "getattr"}, {"torch", "load"},
		{"torch._utils", "_rebuild_tensor_v2.__globals__"}, {"argparse", "Namespace.x"}, {"", ""}, {"torch.hub", "load"},
		{"torch", "storage"}, {"subprocess", "Popen"}, {"numpy.core.multiarray", "_reconstruct"},
	} {
		_, err := findClass(refused[0], refused[1])
		if err == nil || !strings.Contains(err.Error(), refused[0]+"."+refused[1]) {
			t.Errorf("%v: error %v, want one that names it", refused, err)
		}
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	text := strings.Repeat("x", 1<<16)
	_, err := loadPickle([]byte("\x80\x02"+pkText(text)+")R."), persistentStorage)
	if err == nil || len(err.Error()) > 2*maxNameInError {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

// What passes the screen cannot fill the memory: the worst there is, opcodes
// that build an empty object each, stays under 256 MB.
func TestPickleMemory(t *testing.T) {
	for name, unit := range map[string]string{"tuples": "(t", "dictionaries": "}", "lists": "](Ne", "sets": "\x8f", "memo": "}\x94"} {
		body := strings.Repeat(unit, (maxOpcodes-2)/len(unit)-1)
		pickle := []byte("\x80\x04" + body + ".")
		if _, err := screenPickle(pickle); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := loadPickle(pickle, persistentStorage); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 256<<20 {
			t.Errorf("%s: a pickle of %d bytes took %d MB", name, len(pickle), got>>20)
		} else {
			t.Logf("%s: %d MB", name, got>>20)
		}
	}
}
