//go:build linux

package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"graft/internal/atomicfile"
	"graft/onnx/ort/orttest"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// What decides how TestKills runs; scripts/kill sets them.
const (
	killMinutes = "GRAFT_KILL_MINUTES" // how long; a minute without it
	killSeed    = "GRAFT_KILL_SEED"    // of all that is random; told where it is not given
	killBinary  = "GRAFT_KILL_BINARY"  // the program; the test binary without it
)

// scenarios are the commands that write, in a round's folder; beside it lie a network, a store and a run. What is grown lies
// in the round's folder before it begins.
var scenarios = []struct{ name, args, grown string }{
	{"extract", "extract --data synthetic --per-class 12 --model ../tiny.onnx --taps all --flip --provider cpu --threads 1 --shard-rows 16 --batch 4 --out out", ""},
	{"extract, one file", "extract --data synthetic --per-class 12 --model ../tiny.onnx --taps all --provider cpu --threads 1 --shard-rows 16 --batch 4 --out out.parquet", ""},
	{"train head, L-BFGS", "train head --embeddings ../store --taps all --threads 1 --out out", ""},
	{"train head, descent", "train head --embeddings ../store --recipe study --epochs 4 --threads 1 --out out", ""},
	{"train cnn", "train cnn --data synthetic --per-class 12 --epochs 3 --threads 1 --out out", ""},
	{"train backbone", "train backbone --data synthetic --per-class 12 --model ../tiny.onnx --unfreeze 1 --epochs 3 --provider cpu --threads 1 --out out", ""},
	{"model export", "model export --random-init 1 --arch vit_ti_16 --out out.onnx", ""},
	{"model export, int8", "model export --weights ../tiny.onnx --precision int8 --out out.onnx", ""},
	{"export", "export ../head --model ../tiny.onnx --out out.onnx", ""},
	{"data convert, folder", "data convert --data synthetic --per-class 40 --out out", ""},
	{"data convert, csv", "data convert --data synthetic --per-class 40 --out out.csv.gz", ""},
	{"embeddings export", "embeddings export ../store --out out.csv", ""},
	{"extract, extended", "extract --extend --data synthetic --per-class 30 --model ../tiny.onnx --taps all --provider cpu --threads 1 --out store", "store"},
	{"extract, one file", "extract --data synthetic --per-class 12 --model ../tiny.onnx --taps all --provider cpu --threads 1 --shard-rows 16 --batch 4 --out out.parquet", ""},
	{"train head, seeds", "train head --embeddings ../store --seeds 3 --threads 1 --out out", ""},
	{"predict", "predict ../head --model ../tiny.onnx --provider cpu --csv out.csv synthetic", ""},
}

// killer runs one scenario in its folder.
type killer struct {
	t     *testing.T
	rng   *rand.Rand
	exe   string
	dir   string // of the round, which is new each time and has the same name
	args  []string
	grown string            // folder beside the round's, of which a copy lies in it before the command begins
	took  time.Duration     // undisturbed
	want  map[string]string // file → what it holds
	size  int64             // of these
	least int64             // of the copy
}

// faults disturb the command once or several times and tell whether it ended by itself with its work done.
var faults = []struct {
	name string
	do   func(k *killer) (done bool)
}{
	{"killed", (*killer).kill},
	{"killed, clock backwards", func(k *killer) bool { done := k.kill(); k.age(365 * 24 * time.Hour); return done }},
	{"disk full", (*killer).full},
	{"no descriptors", func(k *killer) bool { return k.under(fmt.Sprintf("ulimit -n %d", 5+k.rng.IntN(30))) }},
	{"read-only folder", (*killer).readOnly},
	{"two at once", (*killer).two},
}

// command is graft in the round's folder, with a folder for temporaries of its own.
func (k *killer) command(shell string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", shell + `; exec "$0" "$@"`, k.exe}, k.args...)...)
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+filepath.Join(k.dir, "tmp"))
	cmd.Stderr = new(strings.Builder)
	return cmd
}

func (k *killer) under(shell string) bool { return k.command(shell).Run() == nil }

// kill sends SIGKILL up to three times, at a random moment of the whole run or just after a temporary has appeared.
func (k *killer) kill() bool {
	for range 1 + k.rng.IntN(3) {
		cmd, done := k.command("true"), make(chan error, 1)
		if err := cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		go func() { done <- cmd.Wait() }()
		after := time.Duration(k.rng.Float64() * 1.1 * float64(k.took))
		if k.rng.IntN(2) == 0 {
			for end := time.Now().Add(k.took); time.Now().Before(end) && !k.writing(); {
				time.Sleep(time.Millisecond)
			}
			after = time.Duration(k.rng.IntN(30)) * time.Millisecond
		}
		select {
		case err := <-done:
			return err == nil
		case <-time.After(after):
			_ = cmd.Process.Kill()
			if <-done == nil {
				return true
			}
		}
	}
	return false
}

// writing tells whether a temporary lies in the round's folder.
func (k *killer) writing() bool {
	found := false
	_ = filepath.WalkDir(k.dir, func(path string, _ fs.DirEntry, _ error) error {
		found = found || strings.HasPrefix(filepath.Base(path), atomicfile.TempPrefix)
		return nil
	})
	return found
}

// age moves the times of all files into the future.
func (k *killer) age(by time.Duration) {
	then := time.Now().Add(by)
	_ = filepath.WalkDir(k.dir, func(path string, _ fs.DirEntry, _ error) error { return os.Chtimes(path, then, then) })
}

// full gives the command a disk of its own that is too small, and a larger one afterwards. Where none can be mounted, files
// may only grow to some size.
func (k *killer) full() bool {
	size := k.least + k.rng.Int64N(k.size-k.least+k.size/4)
	if !k.mount(fmt.Sprintf("size=%d", max(size, 4096))) {
		return k.under(fmt.Sprintf("ulimit -f %d", size/512))
	}
	done := k.under("true")
	k.mount("remount,size=4g")
	return done
}

func (k *killer) readOnly() bool {
	if k.mount("size=4g") && k.mount("remount,ro") {
		defer k.mount("remount,rw")
	} else if os.Getuid() == 0 || os.Chmod(k.dir, 0o555) != nil {
		k.t.Skip("root without the right to mount can write everywhere")
	} else {
		defer func() { _ = os.Chmod(k.dir, 0o755) }()
	}
	return k.under("true")
}

// mount puts a disk in memory where the round's folder is, or changes the one that is there.
func (k *killer) mount(options string) bool {
	if exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", k.dir).Run() != nil {
		return false
	}
	if !strings.Contains(options, "remount") {
		k.lay()
	}
	return true
}

func (k *killer) two() bool {
	a, b := k.command("true"), k.command("true")
	if a.Start() != nil || b.Start() != nil {
		k.t.Fatal("does not start")
	}
	x, y := a.Wait(), b.Wait()
	return x == nil || y == nil
}

// start makes the round's folder anew.
func (k *killer) start() {
	_ = exec.Command("umount", k.dir).Run()
	if err := os.RemoveAll(k.dir); err != nil {
		k.t.Fatal(err)
	}
	k.lay()
}

// lay puts into the round's empty folder what the command finds there.
func (k *killer) lay() {
	if err := os.MkdirAll(filepath.Join(k.dir, "tmp"), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if k.grown == "" {
		return
	}
	if err := os.CopyFS(filepath.Join(k.dir, k.grown), os.DirFS(filepath.Join(k.dir, "..", k.grown))); err != nil {
		k.t.Fatal(err)
	}
}

// timing is what differs from run to run: durations, moments, speeds.
var timing = regexp.MustCompile(`("[a-z_]*(?:seconds|started|finished|created)[a-z_]*": )("[^"]*"|[0-9.e+-]+)`)

// content is what lies in the round's folder, without what measures time.
func (k *killer) content() map[string]string {
	out := map[string]string{}
	_ = filepath.WalkDir(k.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if filepath.Ext(path) == ".json" {
			data = timing.ReplaceAll(data, []byte("$1 0"))
		}
		if filepath.Base(path) == "history.csv" {
			data = regexp.MustCompile(`(?m),[^,\n]*$`).ReplaceAll(data, nil) // seconds
		}
		rel, _ := filepath.Rel(k.dir, path)
		out[rel] = fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data))
		return err
	})
	return out
}

// bytes is the size of the files in the round's folder.
func (k *killer) bytes() (sum int64) {
	_ = filepath.WalkDir(k.dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return err
	})
	return sum
}

// tally counts the rounds of one scenario and fault.
type tally struct{ rounds, same, refused, stray int }

// round disturbs the command, lets it end, and compares.
func (k *killer) round(n *tally, fault func(*killer) bool, what string) {
	k.start()
	n.rounds++
	last := k.command("true")
	var err error
	if !fault(k) {
		err = last.Run()
	}
	got := k.content()
	missing, stray := []string{}, []string{}
	for name, want := range k.want {
		if got[name] != want {
			missing = append(missing, fmt.Sprintf("%s: %s, want %s", name, cmp.Or(got[name], "missing"), want))
		}
	}
	for name := range got {
		if _, ok := k.want[name]; !ok {
			stray = append(stray, name)
		}
	}
	if len(missing) == 0 {
		n.same++
	}
	if err != nil && len(missing) > 0 { // what is whole need not be written again
		n.refused++
	}
	n.stray += len(stray)
	if len(missing)+len(stray) > 0 {
		k.t.Errorf("%s: %v %s\n  differing %q\n  stray %q", what, err, last.Stderr, missing, stray)
	}
}

// TestKills disturbs every command that writes, in every way, again and again for a minute or as long as scripts/kill says.
// Started once more, undisturbed, the command has to end with the same files as ever and no other.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	orttest.Require(t)
	minutes, _ := strconv.ParseFloat(cmp.Or(os.Getenv(killMinutes), "1"), 64)
	seed, _ := strconv.ParseUint(cmp.Or(os.Getenv(killSeed), fmt.Sprint(time.Now().UnixNano())), 10, 64)
	end := time.Now().Add(time.Duration(minutes * float64(time.Minute)))
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	all := prepareKills(t, rng)
	counts := make([]tally, len(scenarios)*len(faults))
	for i := rng.IntN(len(counts)); time.Now().Before(end); i++ {
		// Each scenario has its turn with another fault than its neighbour, and in the next turn with the next.
		s := i % len(scenarios)
		f := (s + i/len(scenarios)) % len(faults)
		what := scenarios[s].name + ", " + faults[f].name
		t.Run(strings.ReplaceAll(what, ", ", "/"), func(t *testing.T) {
			k := all[s]
			k.t = t
			defer k.start()
			k.round(&counts[s*len(faults)+f], faults[f].do, what)
		})
	}
	t.Log("\n" + killTable(counts))
}

// killTable sums the rounds of all scenarios, by scenario and by fault.
func killTable(counts []tally) string {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "rounds\tsame content\trefused\tstray files\t")
	line := func(what string, of func(scenario, fault int) bool) {
		var sum tally
		for i, c := range counts {
			if of(i/len(faults), i%len(faults)) {
				sum = tally{sum.rounds + c.rounds, sum.same + c.same, sum.refused + c.refused, sum.stray + c.stray}
			}
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t  %s\n", sum.rounds, sum.same, sum.refused, sum.stray, what)
	}
	for i, f := range faults {
		line(f.name, func(_, fault int) bool { return fault == i })
	}
	for i, s := range scenarios {
		line(s.name, func(scenario, _ int) bool { return scenario == i })
	}
	line("all", func(int, int) bool { return true })
	_ = w.Flush()
	return table.String()
}

// prepareKills makes what the scenarios read and what each gives undisturbed.
func prepareKills(t *testing.T, rng *rand.Rand) []*killer {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_ = vittest.Write(t, dir, vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 4, MLP: 64, Eps: 1e-6}, 1)
	setUp := func(args, grown string) *killer {
		k := &killer{t: t, rng: rng, exe: cmp.Or(os.Getenv(killBinary), exe), dir: filepath.Join(dir, "round"), args: strings.Fields(args), grown: grown}
		k.start()
		k.least = k.bytes()
		cmd, begun := k.command("true"), time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v %s", args, err, cmd.Stderr)
		}
		k.took, k.want, k.size = time.Since(begun), k.content(), k.bytes()
		return k
	}
	setUp("extract --data synthetic --per-class 30 --model ../tiny.onnx --taps cls,mean --provider cpu --out ../store", "")
	setUp("train head --embeddings ../store --out ../head", "")
	var all []*killer
	for _, s := range scenarios {
		all = append(all, setUp(s.args, s.grown))
		t.Logf("%s: %v, %d files, %d bytes", s.name, all[len(all)-1].took, len(all[len(all)-1].want), all[len(all)-1].size)
	}
	return all
}
