package serve

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/ship"
)

// network is the run of a small cnn with random weights.
func network(t *testing.T) string {
	t.Helper()
	net := nets.StudyCNN(3)
	c := run.NewConfig(net.Kind(), run.Program{}, 1, []string{"a", "b", "c"})
	c.Pixels, c.Net = &run.PixelsRecord{Side: 48, Fit: run.FitResize}, net
	r := &run.Run{Dir: filepath.Join(t.TempDir(), "random"), Config: c, Weights: nets.Init(net, 1)}
	err := os.Mkdir(r.Dir, 0o755)
	if err == nil {
		err = r.SaveModel()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Dir
}

// TestSite: a site holds what its page wants, each file under its hash, and graft's answer to its photograph; other files than
// the runtime's, and folders of other things, are refused.
func TestSite(t *testing.T) {
	runtime, dir := t.TempDir(), filepath.Join(t.TempDir(), "site")
	pinned := webRuntime
	t.Cleanup(func() { webRuntime = pinned })
	webRuntime = map[string]string{}
	for name := range pinned {
		if err := os.WriteFile(filepath.Join(runtime, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		webRuntime[name] = hashOf([]byte(name))
	}
	c := SiteConfig{Export: ship.Config{Run: network(t)}, Dir: dir, Runtime: runtime}
	for range 2 { // the second over the first
		if _, err := WriteSite(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var s site
	data, err := os.ReadFile(filepath.Join(dir, "site.json"))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil || !strings.Contains(string(data), `"schema": "`+SiteSchema+`"`) || s.Model != "random" || !strings.Contains(s.Evidence, "maps") {
		t.Fatalf("%v: %s", err, data)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := os.ReadFile(filepath.Join(dir, "sw.js"))
	if err != nil || strings.Contains(string(worker), "FILES") || strings.Contains(string(worker), "HASH") {
		t.Errorf("sw.js: %v %s", err, worker)
	}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch f.Name() {
		case "site.json", "sw.js", "model.labels.txt", "model.card.md":
		default:
			if s.Files[f.Name()] != hashOf(data) || !strings.Contains(string(worker), `"`+f.Name()+`"`) {
				t.Errorf("%s: hash %q; in %s", f.Name(), s.Files[f.Name()], worker)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !strings.Contains(string(page), "Content-Security-Policy") || !strings.Contains(string(page), "http.server") {
		t.Errorf("the page: %v\n%s", err, page)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([\w.]+)"`).FindAllStringSubmatch(string(page), -1) {
		if s.Files[m[1]] == "" {
			t.Errorf("the page wants %s", m[1])
		}
	}
	p, err := model.Open(t.Context(), c.Export.Run, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	one, err := p.File(t.Context(), filepath.Join(dir, "check.png"))
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range s.Labels {
		for _, score := range one.Scores {
			if d := score.Probability - s.Check[i]; score.Label == l && (d > fileTolerance || d < -fileTolerance) {
				t.Errorf("class %s: %g in the site, %g of graft", l, s.Check[i], score.Probability)
			}
		}
	}
	checkSiteRefusals(t, c, pinned)
}

func checkSiteRefusals(t *testing.T, c SiteConfig, pinned map[string]string) {
	t.Helper()
	other := c
	other.Dir = c.Runtime
	if _, err := WriteSite(t.Context(), other); err == nil || !strings.Contains(err.Error(), "holds other things") {
		t.Errorf("a folder of other things: %v", err)
	}
	webRuntime = pinned
	if _, err := WriteSite(t.Context(), c); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("another runtime: %v", err)
	}
}
