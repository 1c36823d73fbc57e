package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"graft/internal/schema"
	"graft/pretrained/checkpoint"
)

var schemaName = regexp.MustCompile(`^graft(-[a-z]+)+-[1-9][0-9]*$`)

// checkSchema wants an object, or each of a list, to begin with its schema.
func checkSchema(t *testing.T, where string, data []byte) {
	t.Helper()
	list := []json.RawMessage{}
	if json.Unmarshal(data, &list) != nil {
		list = append(list, data)
	}
	for _, object := range list {
		var v struct{ Schema string }
		if err := json.Unmarshal(object, &v); err != nil || !schemaName.MatchString(v.Schema) || !strings.HasPrefix(strings.Trim(string(object), "{ \n"), `"schema"`) {
			t.Errorf("%s: schema %q, %v in %.200s", where, v.Schema, err, object)
		}
	}
}

// checkSchemas runs every command that has --json in a folder with a run, its
// store and exported file, and looks at what is written.
func checkSchemas(t *testing.T, dir, model string) {
	t.Helper()
	const cpu = " --provider cpu"
	const tuning = "--data synthetic --per-class 4 --model MODEL --unfreeze 1 --views 2 --epochs 1 --holdout 0" + cpu
	place := strings.NewReplacer("DIR", dir, "MODEL", model)
	must(t, strings.Fields(place.Replace("train backbone "+tuning+" --out DIR/tuned"))...)
	must(t, strings.Fields(place.Replace("export DIR/tuned --adapter DIR/tuned.safetensors"))...)
	args := map[string]string{
		"bench":             "--cases head --rows 40 --dim 4 --rounds 1",
		"compare":           "DIR/run",
		"data audit":        "--data synthetic --per-class 1 --out DIR/audit",
		"data info":         "--data synthetic --per-class 1",
		"data show":         "--data synthetic --per-class 1 --out DIR/samples",
		"demo":              "--out DIR/demo --per-class 4 --weights MODEL" + cpu,
		"doctor":            "",
		"embeddings info":   "DIR/embeddings",
		"embeddings search": "DIR/embeddings DIR/face.png --top 3" + cpu,
		"embeddings verify": "DIR/embeddings",
		"eval":              "DIR/run",
		"export":            "DIR/run --out DIR/again.onnx",
		"extract":           "--data synthetic --per-class 1 --model MODEL --out DIR/few" + cpu,
		"model apply":       "MODEL DIR/tuned.safetensors --out DIR/applied.onnx",
		"model blocks":      "MODEL",
		"model check":       "DIR/few DIR/few",
		"model export":      "--weights MODEL --precision int8 --out DIR/int8.onnx",
		"model info":        "MODEL",
		"model list":        "",
		"predict":           "DIR/run DIR/face.png" + cpu,
		"report":            "DIR/run --out DIR/report.html",
		"rank":              "--data synthetic --per-class 4 MODEL --taps cls" + cpu,
		"show":              "DIR/run DIR/face.png --out DIR/shown",
		"train backbone":    tuning + " --out DIR/tuned-again",
		"train cnn":         "--data synthetic --per-class 2 --epochs 1 --out DIR/cnn",
		"train head":        "--embeddings DIR/embeddings --out DIR/head",
		"train vit":         "--data synthetic --per-class 2 --epochs 1 --out DIR/vit",
		"version":           "",
	}
	elsewhere := []string{"model pull", "setup"} // need a server
	run := func(path string, c *cli.Command) {
		if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "json" }) || slices.Contains(elsewhere, path) {
			return
		}
		words, ok := args[path]
		if !ok {
			t.Errorf("graft %s has --json and is not run here", path)
			return
		}
		out := must(t, slices.Concat(strings.Fields(path), strings.Fields(place.Replace(words)), []string{"--json", "-"})...)
		checkSchema(t, path, []byte(out))
	}
	// In order, as some need the files of others.
	for _, c := range commands() {
		run(c.Name, c)
		slices.SortFunc(c.Subcommands, func(a, b *cli.Command) int { return strings.Compare(a.Name, b.Name) })
		if c.Name == "model" {
			continue
		}
		for _, sub := range c.Subcommands {
			run(c.Name+" "+sub.Name, sub)
		}
	}
	for _, sub := range modelCommand().Subcommands { // on what extract made
		run("model "+sub.Name, sub)
	}
	checkFileSchemas(t, dir)
}

// checkFileSchemas looks at all files of ours below a folder whose format has a
// place for a schema.
func checkFileSchemas(t *testing.T, dir string) {
	t.Helper()
	seen := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".json":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			checkSchema(t, path, data)
		case ".safetensors":
			f, err := checkpoint.Open(path, checkpoint.Whole)
			if err != nil {
				return err
			}
			defer f.Close()
			if name := f.Metadata()[schema.Key]; !schemaName.MatchString(name) {
				t.Errorf("%s: schema %q", path, name)
			}
		}
		seen[filepath.Base(path)]++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, name := range []string{"config.json", "metrics.json", "manifest.json", "00000.json", "model.safetensors"} {
		if seen[name] == 0 {
			t.Errorf("no %s was looked at", name)
		}
	}
}
