package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// document is a Markdown file of the project: its prose, and the blocks of code
// with what stands before each.
type document struct {
	prose  string
	blocks []block
}

type block struct{ language, text, before string }

// documents reads the Markdown files at the top and in docs, by their path from the top.
func documents(t *testing.T) map[string]document {
	t.Helper()
	docs := map[string]document{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(top, path)
			docs[filepath.ToSlash(name)] = parseDocument(string(data))
		}
	}
	if len(docs) < 10 {
		t.Fatalf("found %d documents; the rules are checked on nothing", len(docs))
	}
	return docs
}

// top is the project's folder.
const top = "../.."

func parseDocument(text string) (d document) {
	var code *block
	for line := range strings.Lines(text) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && code == nil:
			code = &block{language: language, before: d.prose}
		case fence:
			d.blocks = append(d.blocks, *code)
			code = nil
		case code != nil:
			code.text += line
		default:
			d.prose += line
		}
	}
	return d
}

var (
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// links are the targets of the prose's links.
func links(prose string) (targets []string) {
	for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(prose, ""), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// anchors are the names by which a page's headings are linked to.
func (d document) anchors() map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(d.prose, -1) {
		names[strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return names
}

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	docs, checked := documents(t), 0
	for name, d := range docs {
		for _, target := range links(d.prose) {
			if strings.Contains(target, "://") {
				continue
			}
			checked++
			path, anchor, _ := strings.Cut(target, "#")
			file := name
			if path != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
			}
			if _, err := os.Stat(filepath.Join(top, file)); err != nil {
				t.Errorf("%s links to %s: %v", name, target, err)
			} else if anchor != "" && !docs[file].anchors()[anchor] {
				t.Errorf("%s links to %s: no heading of %s has that name", name, target, file)
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d links checked; they are not found", checked)
	}
}

var projectPath = regexp.MustCompile(`^(cmd|deploy|docs|examples|finetune|graph|internal|onnx|preprocess|pretrained|scripts)/[\w.*/-]+$`)

// TestDocumentsNameWhatIsThere: files and folders that the documents name exist,
// but for the changelog's, and ARCHITECTURE.md names every package, by its path
// or the last word of it.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	docs := documents(t)
	for name, d := range docs {
		for _, span := range codeSpan.FindAllString(d.prose, -1) {
			path := strings.Trim(span, "`")
			if name == "CHANGELOG.md" || !projectPath.MatchString(path) {
				continue
			}
			if found, err := filepath.Glob(filepath.Join(top, path)); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", name, path)
			}
		}
	}
	named := strings.Join(codeSpan.FindAllString(docs["ARCHITECTURE.md"].prose, -1), " ")
	for _, p := range projectPackages(t) {
		path := p.path()
		if strings.Contains("/"+path+"/", "/internal/") || strings.HasSuffix(path, "test") || p.Name == "main" {
			continue
		}
		if !strings.Contains(named, "`"+path+"`") && !strings.Contains(named, "`"+filepath.Base(path)+"`") {
			t.Errorf("ARCHITECTURE.md does not name package %s", path)
		}
	}
}

// TestGoInDocumentsIsFromAFile wants each block of Go to be a piece of the file
// that the last link before it leads to, which the compiler sees.
func TestGoInDocumentsIsFromAFile(t *testing.T) {
	for name, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" {
				continue
			}
			targets := links(b.before)
			if len(targets) == 0 || !strings.HasSuffix(targets[len(targets)-1], ".go") {
				t.Errorf("%s: no link to a Go file stands before\n%s", name, b.text)
				continue
			}
			path := filepath.Join(top, filepath.Dir(name), targets[len(targets)-1])
			if source, err := os.ReadFile(path); err != nil || !strings.Contains(string(source), b.text) {
				t.Errorf("%s: this is not in %s (%v):\n%s", name, path, err, b.text)
			}
		}
	}
}

// TestDependenciesHaveReasons wants each module that go.mod asks for to stand in
// the table of docs/dependencies.md.
func TestDependenciesHaveReasons(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	modules := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(data), -1)
	if len(modules) < 10 {
		t.Fatalf("%d modules found in go.mod", len(modules))
	}
	for _, m := range modules {
		if !strings.Contains(documents(t)["docs/dependencies.md"].prose, "\n| "+m[1]+" |") {
			t.Errorf("docs/dependencies.md gives no reason for %s", m[1])
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(string(data))); n > 1200 {
		t.Errorf("README.md has %d words; a newcomer reads 1,200, the rest belongs to docs", n)
	}
}

func TestDocumentRulesCanFail(t *testing.T) {
	d := parseDocument("# A-b: *c_d* 2\n[x](gone.md#y) `[z](code)`\n```go\nfunc f() {}\n[w](code)\n```\n")
	if got := links(d.prose); len(got) != 1 || got[0] != "gone.md#y" {
		t.Errorf("links %q", got)
	}
	if !d.anchors()["a-b-c_d-2"] {
		t.Errorf("anchors %v", d.anchors())
	}
	if len(d.blocks) != 1 || d.blocks[0].language != "go" || d.blocks[0].text != "func f() {}\n[w](code)\n" {
		t.Errorf("blocks %+v", d.blocks)
	}
}
