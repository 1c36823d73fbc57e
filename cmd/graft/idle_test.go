package main

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

// alwaysLive are the flags of a command that have an effect whatever else is
// said. All others are refused where they have none; see idleFlags.
var alwaysLive = map[string]string{
	"setup":             "gpu openvino from json",
	"doctor":            "json",
	"data audit":        "split-shares split-seed split-record group-by data embeddings json out threads tiny",
	"report":            "out data audit embeddings atlas open json",
	"data clean":        "audit changes out",
	"data info":         "split-shares split-seed split-record data ferplus skip-bad json fingerprint",
	"data convert":      "split-shares split-seed split-record data skip-bad out",
	"data synth":        "per-class seed out",
	"data show":         "split-shares split-seed split-record data skip-bad seed out split samples json html force",
	"model list":        "dir json",
	"model pull":        "dir url json",
	"model export":      "weights out precision json",
	"model info":        "json",
	"model blocks":      "json",
	"model check":       "seed json",
	"model apply":       "out json",
	"rank":              "split-shares split-seed split-record group-by data skip-bad provider threads sample split taps batch seed json",
	"extract":           "split-shares split-seed split-record group-by data skip-bad provider threads model out taps split flip views batch dtype shard-rows shard extend strict limit json",
	"embeddings info":   "verify json",
	"embeddings verify": "json",
	"embeddings export": "out taps split flip force",
	"embeddings search": "top taps split model provider threads json",
	"train head":        "group-by embeddings out taps recipe class-weights logit-adjust use-flip model force threads json folds",
	"train cnn": "split-shares split-seed split-record group-by data out seeds folds recipe augment class-weights logit-adjust soft-labels image-side mirror limit force skip-bad seed json epochs batch accumulate optimizer lr " +
		"weight-decay schedule warmup clip label-smoothing ema holdout threads arch side channels",
	"train vit": "split-shares split-seed split-record group-by data out seeds folds recipe augment class-weights logit-adjust soft-labels image-side mirror limit force skip-bad seed json epochs batch accumulate optimizer lr " +
		"weight-decay schedule warmup clip label-smoothing ema holdout threads side channels patch width depth heads mlp tied projection spare-token " +
		"norm pool init stem dropout standardize",
	"train backbone": "folds split-shares split-seed split-record group-by data model tail out unfreeze unfreeze-from taps head embeddings mirror views augment class-weights logit-adjust only lora train-norm-stats layer-decay drop-path soft-labels limit " +
		"force seeds skip-bad seed json epochs batch accumulate optimizer lr weight-decay schedule warmup clip label-smoothing ema holdout threads provider",
	"import":     "model weights key prefix out classes data image-side mirror force side channels",
	"eval":       "split threads confusion reliability predictions json",
	"compare":    "markdown json",
	"predict":    "top threshold csv jsonl faces threads json",
	"serve":      "addr token-file cors keep max-bytes max-pixels max-images queue batch batch-wait timeout grace faces threads",
	"show":       "out class layers threads json html force",
	"export":     "out adapter web json snippets",
	"demo":       "out data weights limit batch taps open skip-bad seed provider threads json",
	"bench":      "cases threads random-init rounds json",
	"version":    "json",
	"completion": "",
	"man":        "",
	"help":       "",
}

// idleFlags are command lines with flags that would change nothing: the command,
// what else is said (FOLDER, CNN, HEAD, FILE and CSV are made by the test), and
// the flags.
var idleFlags = []struct{ command, given, idle string }{
	{"setup", "", "--cuda 12"},
	{"setup", "--openvino", "--gpu --from npm"},
	{"data info", "--data CSV", "--per-class 3"},
	{"data info", "--data CSV", "--seed 2"},
	{"data info", "--data CSV", "--no-verify"},
	{"data audit", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"data audit", "--data CSV --out FOLDER/x", "--seed 2 --taps cls"},
	{"data clean", "--audit FOLDER --out FOLDER/x", "--data CSV --group-by x --per-class 3 --seed 2 --top 3 --split-shares 80/20 --split-seed 2 --split-record x"},
	{"data clean", "--changes FOLDER/x --data CSV --out FOLDER/y", "--near --labels drop --top 3 --seed 2"},
	{"data show", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"data show", "--data CSV --out FOLDER/x", "--ferplus CSV"},
	{"data show", "--data CSV --out FOLDER/x --html", "--svg"},
	{"data convert", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"data convert", "--data CSV --out FOLDER/x", "--seed 2"},
	{"data convert", "--data CSV --out FOLDER/x", "--ferplus CSV"},
	{"model export", "--weights FILE --precision int8 --out FOLDER/x", "--key model --prefix model --positions dino --image-size 32 --heads 2 --activation gelu --name x --normalize none --crop-pct 1"},
	{"model export", "--weights FOLDER/x.pth --out FOLDER/x", "--arch vit_ti_16 --classes 2"},
	{"model export", "--random-init 1 --arch vit_ti_16 --out FOLDER/x", "--heads 2 --activation gelu --name x --key x --prefix x --positions dino"},
	{"model export", "--weights FILE --precision int8 --out FOLDER/x", "--random-init 1"},
	{"model blocks", "FILE", "--input-size 32"},
	{"model check", "FOLDER FOLDER", "--data CSV --split-shares 80/20 --split-seed 2 --split-record x --ferplus CSV --skip-bad --per-class 3 --provider cpu --device 1 --allow-fallback --threads 1 " +
		"--input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half --limit 3 --taps cls --batch 3"},
	{"rank", "--data CSV FILE", "--per-class 3"},
	{"rank", "--data CSV FILE --provider cpu", "--device 1 --allow-fallback"},
	{"rank", "--data CSV FILE", "--mean 0 --std 1 --input-size 3 --crop-pct 1 --output x --pool cls --normalize half"},
	{"rank", "--data CSV FILE", "--dir models"},
	{"extract", "--data CSV --model FILE --out FOLDER/x", "--per-class 3 --seed 2"},
	{"extract", "--data CSV --model FILE --out FOLDER/x", "--ferplus CSV"},
	{"extract", "--data CSV --model FILE --out FOLDER/x.parquet", "--flip --views 4 --view-seed 2 --view-augment rotate=5 --shard 0/2 --extend --dtype float32"},
	{"extract", "--data CSV --model FILE --out FOLDER/x --flip", "--view-seed 2 --view-augment rotate=5"},
	{"extract", "--data CSV --model FILE --out FOLDER/x --provider cpu", "--device 1 --allow-fallback"},
	{"extract", "--data CSV --model FILE --out FOLDER/x", "--allow-fallback"},
	{"extract", "--data CSV --model FILE --out FOLDER/x --provider cpu", "--mean 0 --std 1 --input-size 3 --crop-pct 1 --output x --pool cls --normalize half"},
	{"embeddings search", "FOLDER FILE --provider cpu", "--device 1 --allow-fallback"},
	{"train head", "--embeddings FOLDER --out FOLDER/x", "--epochs 2 --batch 2 --accumulate 2 --optimizer adam --lr 1 --momentum 0.5 --weight-decay 1 --schedule step --warmup 1 " +
		"--step-epochs 1 --step-factor 0.5 --clip 1 --label-smoothing 0.1 --ema 0.9 --keep-best --patience 1 --holdout 0.1 --hidden 3 --dropout-in 0.1 --dropout 0.1 " +
		"--members 2 --standardize"},
	{"train head", "--embeddings FOLDER --out FOLDER/x --lambda 1", "--seed 2 --seeds 3"},
	{"train head", "--embeddings FOLDER --out FOLDER/x --recipe study", "--lambda 1"},
	{"train head", "--embeddings FOLDER --out FOLDER/x --recipe study", "--dropout 0.5"},
	{"train head", "--embeddings FOLDER --out FOLDER/x --recipe strong", "--momentum 0.5"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--standardize --dropout 0.5"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--stem 3 --stages 3,4 --blocks 2 --squeeze 3"},
	{"train cnn", "--data synthetic --out FOLDER/x --image-side 32", "--fit crop"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--augment pad=zero"},
	{"train cnn", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"train cnn", "--data CSV --out FOLDER/x", "--ferplus CSV"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--momentum 0.9"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--step-epochs 3 --step-factor 0.5"},
	{"train cnn", "--data synthetic --out FOLDER/x", "--keep-best --patience 3"},
	{"train vit", "--data synthetic --out FOLDER/x --recipe strong", "--fit crop"},
	{"train vit", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"train vit", "--data CSV --out FOLDER/x", "--ferplus CSV"},
	{"train vit", "--data synthetic --out FOLDER/x", "--momentum 0.9"},
	{"train vit", "--data synthetic --out FOLDER/x", "--step-epochs 3 --step-factor 0.5"},
	{"train vit", "--data synthetic --out FOLDER/x", "--keep-best --patience 3"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1", "--ferplus CSV --per-class 3 --momentum 0.9 --step-epochs 3 --step-factor 0.5 --unfreeze-from x"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1", "--mean 0 --std 1 --input-size 3 --crop-pct 1 --output x --pool cls --normalize half"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1 --provider cpu", "--device 1 --allow-fallback"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1 --holdout 0", "--keep-best --patience 3"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1 --head HEAD", "--taps cls"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze 1 --views 0", "--embeddings FOLDER/y"},
	{"train backbone", "--data CSV --model FILE --out FOLDER/x --unfreeze all", "--views 4"},
	{"import", "--model cnn --weights FOLDER/x --out FOLDER/y", "--patch 2 --width 2 --depth 2 --heads 2 --mlp 2 --tied --projection --spare-token --norm pre --pool mean --init sane"},
	{"import", "--model vit --weights FOLDER/x --out FOLDER/y", "--arch study --stages 2 --blocks 2 --squeeze 2"},
	{"import", "--model vit --weights FOLDER/x --out FOLDER/y", "--dropout 0.1 --init sane"},
	{"import", "--model cnn --weights FOLDER/x --out FOLDER/y", "--standardize"},
	{"import", "--model cnn --weights FOLDER/x --out FOLDER/y", "--stem 3"},
	{"import", "--model cnn --weights FOLDER/x --out FOLDER/y --image-side 32", "--fit crop"},
	{"eval", "--knn 3 --embeddings FOLDER", "--conformal 0.9 --data CSV --seed 2 --per-class 3 --split-shares 80/20 --split-seed 2 --split-record x --group-by x --skip-bad --skip-unknown --model x --batch 3 --provider cpu --device 1 --allow-fallback"},
	{"eval", "HEAD", "--vote equal --taps cls --center --use-flip --seed 2 --per-class 3 --split-shares 80/20 --split-seed 2 --split-record x --group-by x --skip-bad --skip-unknown --model x --batch 3 --provider cpu --device 1 --allow-fallback"},
	{"eval", "HEAD --data CSV", "--embeddings FOLDER --seed 2 --per-class 3"},
	{"eval", "HEAD --data CSV --provider cpu", "--device 1 --allow-fallback"},
	{"eval", "CNN", "--embeddings FOLDER --knn 3 --batch 3 --provider cpu --model x"},
	{"eval", "CNN", "--seed 2 --per-class 3 --group-by x --skip-bad --skip-unknown"},
	{"eval", "FILE --data CSV", "--conformal 0.9 --model x --embeddings FOLDER"},
	{"predict", "CNN CSV", "--model x --provider cpu --device 1 --allow-fallback --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"predict", "FILE CSV", "--model x --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"predict", "HEAD CSV --provider cpu", "--device 1 --allow-fallback"},
	{"predict", "FILE CSV", "--face-score 0.5 --face-side 640 --face-model x"},
	{"serve", "CNN", "--model x --provider cpu --device 1 --allow-fallback --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"serve", "FILE", "--model x --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"serve", "HEAD --provider cpu", "--device 1 --allow-fallback"},
	{"serve", "FILE", "--face-score 0.5 --face-side 640 --face-model x"},
	{"show", "CNN CSV --out FOLDER/x", "--model x --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"show", "FILE CSV --out FOLDER/x", "--model x"},
	{"show", "FILE CSV --out FOLDER/x --html", "--svg"},
	{"export", "CNN --out FOLDER/x", "--model x --input-size 3 --mean 0 --std 1 --crop-pct 1 --output x --pool cls --normalize half"},
	{"export", "HEAD --backbone --out FOLDER/x", "--whole-image --snippets"},
	{"export", "HEAD --adapter FOLDER/x", "--whole-image --snippets --model x --mean 0 --std 1 --input-size 3 --crop-pct 1 --output x --pool cls --normalize half --backbone --json FOLDER/y"},
	{"export", "HEAD --out FOLDER/x", "--web-runtime FOLDER"},
	{"export", "HEAD --web FOLDER/x", "--backbone --whole-image --snippets"},
	{"demo", "--data CSV --out FOLDER/x", "--per-class 3"},
	{"demo", "--weights FILE --out FOLDER/x", "--offline"},
	{"demo", "--provider cpu --out FOLDER/x", "--device 1 --allow-fallback"},
	{"bench", "--cases head", "--model x --arch vit_s_16 --provider cpu"},
	{"bench", "--cases sgemm", "--batch 3 --images 3"},
	{"bench", "--cases cnn", "--rows 3 --dim 3"},
	{"bench", "--cases extract --model FILE", "--arch vit_s_16"},
	{"bench", "--cases extract --provider cpu", "--device 1 --allow-fallback"},
	{"bench", "--cases extract", "--remember"},
}

// TestIdleFlags gives each flag where it has no effect: wrong usage that names it.
func TestIdleFlags(t *testing.T) {
	orttest.Require(t) // before ONNX Runtime is found missing
	words := idleWords(t)
	for _, c := range idleFlags {
		for _, flag := range strings.Split(words.Replace(c.idle), "--")[1:] {
			given := strings.Fields(words.Replace(c.given))
			if flag = "--" + flag; strings.Contains(c.idle, "--mean") && !strings.HasPrefix(flag, "--normalize") {
				flag += " --mean 0 --std 1" // flags that describe a model together
			}
			args := slices.Concat([]string{"graft"}, strings.Fields(c.command), given, strings.Fields(flag))
			app := newApp()
			err := app.RunContext(context.Background(), flagsFirst(app.Commands, args))
			name, _, _ := strings.Cut(strings.TrimPrefix(flag, "--"), " ")
			plain := strings.NewReplacer("-", " ", "_", " ").Replace
			if !errors.As(err, new(*usageError)) || !strings.Contains(plain(err.Error()), plain(name)) {
				t.Errorf("%s %s %s: error %v, want wrong usage that names the flag", c.command, c.given, flag, err)
			}
		}
	}
}

// TestEveryFlagIsLiveOrRefused wants a new flag to be thought about.
func TestEveryFlagIsLiveOrRefused(t *testing.T) {
	refused := map[string][]string{}
	for _, c := range idleFlags {
		for _, word := range strings.Fields(c.idle) {
			if name, ok := strings.CutPrefix(word, "--"); ok {
				refused[c.command] = append(refused[c.command], name)
			}
		}
	}
	seen := map[string]bool{}
	var walk func(above string, list []*cli.Command)
	walk = func(above string, list []*cli.Command) {
		for _, c := range list {
			name := strings.TrimSpace(above + " " + c.Name)
			if len(c.Subcommands) > 0 {
				walk(name, c.Subcommands)
				continue
			}
			seen[name] = true
			for _, f := range c.Flags {
				if flag := f.Names()[0]; flag != quiet && !slices.Contains(strings.Fields(alwaysLive[name]), flag) && !slices.Contains(refused[name], flag) {
					t.Errorf("%s --%s: has it an effect whatever else is said? If not, it has to be refused there", name, flag)
				}
			}
		}
	}
	walk("", newApp().Commands)
	for name := range maps.Keys(alwaysLive) {
		if !seen[name] {
			t.Errorf("there is no command %s", name)
		}
	}
}

// idleWords makes what the command lines of idleFlags speak of.
func idleWords(t *testing.T) *strings.Replacer {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	csv := "emotion,pixels,Usage\n"
	for _, usage := range []string{"Training", "PublicTest", "PrivateTest"} {
		csv += "0,\"" + strings.TrimSpace(strings.Repeat("7 ", 48*48)) + "\"," + usage + "\n"
	}
	classes := `"format":"graft-run-1","classes":["a","b"]`
	cnn := write("cnn/config.json", `{`+classes+`,"kind":"cnn","model":{"arch":"study","side":32,"channels":1,"outputs":2},"pixels":{"side":48,"fit":"resize"}}`)
	head := write("head/config.json", `{`+classes+`,"kind":"head","model":{"features":3,"outputs":2},"head":{"taps":["cls"],"dim":3},"backbone":{"tap_dims":{"cls":3}}}`)
	return strings.NewReplacer("FOLDER", t.TempDir(), "CNN", filepath.Dir(cnn), "HEAD", filepath.Dir(head),
		"FILE", vittest.WriteTiny(t, dir), "CSV", write("fer2013.csv", csv))
}

// TestThreadsBoundTheCommand: what a command does, it does on as many cores as
// --threads says, and the next command is free again.
func TestThreadsBoundTheCommand(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	commands := map[string]bool{}
	var walk func(above string, list []*cli.Command)
	walk = func(above string, list []*cli.Command) {
		for _, c := range list {
			walk(above+c.Name+" ", c.Subcommands)
			if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "threads" }) {
				continue
			}
			commands[above+c.Name] = true
			seen := 0
			c.Action = func(*cli.Context) error { seen = runtime.GOMAXPROCS(0); return nil }
			setUsageHandlers([]*cli.Command{c})
			c.Before = nil
			set := flag.NewFlagSet(c.Name, flag.ContinueOnError)
			set.Int("threads", before+3, "")
			if err := c.Action(cli.NewContext(newApp(), set, nil)); err != nil || seen != before+3 {
				t.Errorf("%s --threads %d runs on %d cores (%v)", above+c.Name, before+3, seen, err)
			}
		}
	}
	walk("", newApp().Commands)
	if runtime.GOMAXPROCS(0) != before || len(commands) < 9 {
		t.Errorf("%d cores afterwards, %d before; %d commands", runtime.GOMAXPROCS(0), before, len(commands))
	}
}
