package serve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/schema"
)

//go:embed site
var siteFiles embed.FS

// WebRuntime is npm's package with what runs a model in a browser, and the SHA-256 of its files that a site takes.
const WebRuntime = "onnxruntime-web@1.30.0"

var webRuntime = map[string]string{
	"ort.wasm.min.mjs":            "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
	"ort-wasm-simd-threaded.mjs":  "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
	"ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}

// siteFolder makes the folder; one that holds something else is refused.
func siteFolder(dir string) error {
	list, err := os.ReadDir(dir)
	if err == nil && len(list) > 0 && !slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == "site.json" }) {
		return fmt.Errorf("%s holds other things; want a new folder, an empty one or an earlier site", dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(dir, 0o777)
}

// runtimeFiles reads what runs the model.
func runtimeFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, want := range webRuntime {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%w; want the folder dist of npm's %s", err, WebRuntime)
		}
		if got := hashOf(data); got != want {
			return nil, fmt.Errorf("%s: SHA-256 is %s, of %s it is %s", path, got, WebRuntime, want)
		}
		files[name] = data
	}
	return files, nil
}

func hashOf(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// sitePolicy is the page's where no server of ours sends one.
const sitePolicy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; ` +
	`style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'">`

// pageFiles adds the page.
func pageFiles(files map[string][]byte) error {
	for _, name := range []string{"app.js", "style.css", "index.html"} {
		data, err := pages.ReadFile("page/" + name)
		if err != nil {
			return err
		}
		files[name] = data
	}
	const charset, starting = `<meta charset="utf-8">`, "Starting…"
	page := string(files["index.html"])
	page = strings.Replace(page, charset, charset+"\n"+sitePolicy, 1)
	page = strings.Replace(page, starting, starting+" Opened from a disk, this page needs a server of files, such as: python3 -m http.server", 1)
	files["index.html"] = []byte(page)
	data, err := siteFiles.ReadFile("site/backend.js")
	files["backend.js"] = data
	return err
}

// write writes the files, with what keeps them offline, and last site.json, by which a site is known.
func (s *site) write(dir string, files map[string][]byte) error {
	names := []string{"./", "site.json", "model.onnx"}
	for name, data := range files {
		s.Files[name] = hashOf(data)
		names = append(names, name)
	}
	slices.Sort(names)
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	manifest, err := schema.Marshal(SiteSchema, s, "  ")
	if err != nil {
		return err
	}
	worker, err := siteFiles.ReadFile("site/sw.js")
	if err != nil {
		return err
	}
	worker = bytes.Replace(worker, []byte("HASH"), []byte(hashOf(manifest)[:16]), 1)
	files["sw.js"] = bytes.Replace(worker, []byte("FILES"), list, 1)
	for name, data := range files {
		if err := atomicfile.WriteFile(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return atomicfile.WriteFile(filepath.Join(dir, "site.json"), manifest)
}
