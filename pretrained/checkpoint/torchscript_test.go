package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestTorchScript: an archive of torch.jit.save has the tensors that the
// module's state dict has.
func TestTorchScript(t *testing.T) {
	f := openFixture(t, "torchscript.pt")
	sameTensors(t, f, openFixture(t, "plain.expected.safetensors"))
	if len(f.Notes()) != 0 {
		t.Errorf("notes %q", f.Notes())
	}
}

// pkModule is a module as TorchScript pickles it.
func pkModule(items ...string) string {
	return "c__torch__.clip.model\nCLIP\n)\x81" + pkDict(items...) + "b"
}

func TestTorchScriptModules(t *testing.T) {
	w := rawTensor{key: "0", elements: 6, shape: []int{6}, strides: []int{1}}.pickle()
	ints := "ctorch.jit._pickle\nbuild_intlist\n(](" + pkInt(3) + "etR"
	deep := pkModule(pkText("w"), w)
	for range 30 {
		deep = pkModule(pkText("a"), deep)
	}
	// Twenty modules, each holding the one before it twice: a million paths.
	wide := pkModule(pkText("w"), w) + "q\x01"
	for i := range 20 {
		wide = pkModule(pkText("a"), wide, pkText("b"), "h"+string(rune(i+1))) + "q" + string(rune(i+2))
	}
	// One module of 1000 tensors under 1000 names.
	var leaf, root []string
	for i := range 1000 {
		leaf = append(leaf, pkText(fmt.Sprint(i)), "h\x01")
		root = append(root, pkText(fmt.Sprint(i)), "h\x02")
	}
	many := pkModule(append([]string{pkText("w"), w + "q\x01", pkText("m"), pkModule(leaf...) + "q\x02"}, root...)...)
	for _, c := range []struct {
		name, value string
		want        string   // "" for success
		tensors     []string // then
	}{
		{"tree", pkModule(pkText("visual"), pkModule(pkText("proj"), w, pkText("training"), "\x88", pkText("_x"), "N"), pkText("sizes"), ints, pkText("w"), w), "", []string{"visual.proj", "w"}},
		{"thirty deep", deep, "", []string{strings.Repeat("a.", 30) + "w"}},
		{"no tensors", pkModule(pkText("training"), "\x88"), "no tensors", nil},
		{"no attributes", "c__torch__\nM\n)\x81", "are None", nil},
		{"attributes that are a list", "c__torch__\nM\n)\x81]b", "are a list", nil},
		{"attribute without a name", pkModule(pkInt(3), w), "a number as an attribute's name", nil},
		{"tensor twice", pkModule(pkText("w"), w, pkText("w"), w), `"w" stands twice`, nil},
		{"itself", "c__torch__\nM\n)\x81q\x00" + pkDict(pkText("a"), "h\x00") + "b", "inside each other", nil},
		{"a million modules", wide, "more than 262144 attributes", nil},
		{"a million tensors", many, "more than 262144 attributes", nil},
		{"long name", pkModule(pkText(strings.Repeat("n", 2000)), w), "longer than 1024", nil},
		{"other code", pkModule(pkText("w"), "cposix\nsystem\n("+pkText("true")+"tR"), `"posix.system"`, nil},
		{"nearly", "c__torch__x\nM\n)\x81}b", `"__torch__x.M"`, nil},
	} {
		got, err := readBytes(torchFile(pkFile(c.value), storage24))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if names := slices.Sorted(maps.Keys(got.tensors)); !slices.Equal(names, c.tensors) {
				t.Errorf("%s: tensors %q, want %q", c.name, names, c.tensors)
			}
		} else if err == nil || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
