package house

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the name that go.mod gives (make module changes it).
var module = func() string {
	text, _ := os.ReadFile(filepath.Join(top, "go.mod"))
	return strings.Fields(string(text) + "module none")[1]
}()

type goPackage struct {
	Dir, ImportPath, Doc, Name         string
	Imports, TestImports, XTestImports []string
	GoFiles, CgoFiles, IgnoredGoFiles  []string
	TestGoFiles, XTestGoFiles          []string
}

func (p goPackage) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func projectPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Doc,Name,Imports,TestImports,XTestImports,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImportRules(t *testing.T) {
	pkgs := projectPackages(t)
	if len(pkgs) < 10 {
		t.Fatalf("go list found %d packages; the rules are checked on nothing", len(pkgs))
	}
	for _, p := range pkgs {
		for _, imp := range p.Imports {
			if imp == runtimeBinding && !within(p.path(), runtimeFolder) {
				t.Errorf("%s imports %s; only %s may", p.path(), imp, runtimeFolder)
			}
			if to, ours := strings.CutPrefix(imp, module+"/"); ours && !mayImport(p.path(), to) {
				t.Errorf("%s imports %s, which the house rules forbid", p.path(), to)
			}
		}
	}
}

// TestWhoReachesTheRuntime looks into every file but tests, those for other systems
// included.
func TestWhoReachesTheRuntime(t *testing.T) {
	found := false
	for _, p := range projectPackages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range file.Imports {
				path := strings.Trim(imp.Path.Value, `"`)
				if !within(path, module+"/"+runtimeFolder) {
					continue
				}
				at := p.path() + "/" + name
				found = found || at == sessionMaker
				if !mayReachRuntime(at) {
					t.Errorf("%s imports %s; only %s and the commands may", at, path, sessionMaker)
				}
			}
		}
	}
	if !found {
		t.Errorf("%s does not import %s; the rule is checked on nothing", sessionMaker, runtimeFolder)
	}
	for file, want := range map[string]bool{"pretrained/backbone.go": false, "finetune/demo/demo.go": false, "cmd/graft/doctor.go": true, "onnx/tune/tune.go": false} {
		if mayReachRuntime(file) != want {
			t.Errorf("%s: %v, want %v", file, !want, want)
		}
	}
}

// TestContextsAreHandedDown: what makes a context of its own does not end with
// Ctrl-C. Only a command's beginning may.
func TestContextsAreHandedDown(t *testing.T) {
	for _, p := range projectPackages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") || p.Name == "main" && name == "main.go" {
				continue
			}
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"context.Background()", "context.TODO()"} {
				if strings.Contains(string(text), word) {
					t.Errorf("%s/%s: %s; take the caller's context", p.path(), name, word)
				}
			}
		}
	}
}

func TestRulesCanFail(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"preprocess/dataset", "preprocess", true},
		{"preprocess", "onnx", false},
		{"graph", "graph/engine", false},
		{"graph", "pretrained", false},
		{"graph/engine", "graph", true},
		{"graph/engine", "finetune/metrics", false},
		{"graph/lower", "finetune/nets", false},
		{"graph/lower", "preprocess", false},
		{"finetune/train", "finetune/judge", true},
		{"finetune/judge", "finetune/train", false},
		{"finetune/run", "finetune/load", false},
		{"finetune/load", "preprocess/dataset", true},
		{"finetune/attic", "finetune/train", false},
		{"finetune/fit", "graph/engine", true},
		{"finetune/load", "pretrained/store", true},
		{"pretrained/store", "finetune/run", false},
		{"onnx/ort", "onnx", true},
		{"cmd/graft", "finetune/train", true},
		{"models", "internal/atomicfile", true},
	} {
		if got := mayImport(c.from, c.to); got != c.want {
			t.Errorf("mayImport(%s, %s) = %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// TestRulesNameWhatExists wants every folder of the rules to be there, and every
// room of finetune to have a rule.
func TestRulesNameWhatExists(t *testing.T) {
	pkgs := projectPackages(t)
	named := slices.Collect(maps.Keys(allowed))
	for name := range rooms {
		named = append(named, "finetune/"+name)
	}
	for _, folder := range append(named, slices.Concat(slices.Collect(maps.Values(allowed))...)...) {
		if !slices.ContainsFunc(pkgs, func(p goPackage) bool { return within(p.path(), folder) }) {
			t.Errorf("the rules name %s, which is no folder with packages", folder)
		}
	}
	for _, p := range pkgs {
		if within(p.path(), "finetune") && floor(p.path()) == "" && !strings.HasSuffix(p.path(), "test") {
			t.Errorf("%s has no rule", p.path())
		}
	}
}

// TestRoomsLookDown follows the arrows of the rules: none may lead back.
func TestRoomsLookDown(t *testing.T) {
	var follow func(path []string)
	follow = func(path []string) {
		for _, next := range rooms[path[len(path)-1]] {
			if slices.Contains(path, next) {
				t.Fatalf("the rules allow a ring: %v back to %s", path, next)
			}
			if _, known := rooms[next]; !known {
				t.Errorf("%s may import %s, which has no rule", path[len(path)-1], next)
			}
			follow(append(slices.Clone(path), next))
		}
	}
	for name := range rooms {
		follow([]string{name})
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range projectPackages(t) {
		if strings.TrimSpace(p.Doc) == "" {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}

// TestPackagesHaveExamples wants a runnable example in every package that
// others import. Commands, generated code and helpers of tests are shown by
// their use.
func TestPackagesHaveExamples(t *testing.T) {
	exempt := []string{"onnx/onnxpb", "internal/house"}
	for _, p := range projectPackages(t) {
		if p.Name == "main" || strings.HasSuffix(p.path(), "test") || slices.Contains(exempt, p.path()) {
			continue
		}
		if !hasExample(t, p) {
			t.Errorf("%s has no Example", p.path())
		}
	}
}

func hasExample(t *testing.T, p goPackage) bool {
	t.Helper()
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				return true
			}
		}
	}
	return false
}

// TestFilesAreWrittenWhole wants what the program leaves behind to go through
// atomicfile, which knows of crashes, links, devices and modes.
func TestFilesAreWrittenWhole(t *testing.T) {
	exempt := []string{"pretrained/extract/throughput"} // its random data is thrown away
	seen := 0
	for _, p := range projectPackages(t) {
		if slices.Contains(exempt, p.path()) {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				seen++
				if of, ok := call.X.(*ast.Ident); ok && of.Name == "os" && (call.Sel.Name == "Create" || call.Sel.Name == "WriteFile") {
					t.Errorf("%s: %s calls os.%s; want internal/atomicfile", p.path(), name, call.Sel.Name)
				}
				return true
			})
		}
	}
	if seen < 1000 {
		t.Errorf("only %d selectors were looked at", seen)
	}
}
