package ort

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"graft/onnx"
	"graft/onnx/session"
)

// Opener starts a session on a model built in memory, on any provider.
type Opener func(*onnx.Model, session.Options) (session.Session, error)

// Report is what this machine can run.
type Report struct {
	Library   *Library         `json:"library"` // nil when none is found
	Pinned    string           `json:"pinned"`  // the version that Install installs
	Providers []ProviderReport `json:"providers"`
	CPU       CPUReport        `json:"cpu"`
	Caches    []CacheReport    `json:"caches"`
	Tools     []ToolReport     `json:"tools"`
	Problems  []Problem        `json:"problems"`
}

// ProviderReport tells whether a provider is in the library, which Go needs not be, and
// really starts, tried with a model of two nodes.
type ProviderReport struct {
	Name      session.Provider `json:"name"`
	InLibrary bool             `json:"in_library"`
	Starts    bool             `json:"starts"`
	Problem   string           `json:"problem,omitempty"`
}

// CPUReport is what decides the speed of the CPU provider. Limits are those of
// the control group (a container, a batch job); 0 means none.
type CPUReport struct {
	Arch        string   `json:"arch"`
	Features    []string `json:"features"`
	Cores       int      `json:"cores"`
	GOMAXPROCS  int      `json:"gomaxprocs"`
	CgroupCPUs  float64  `json:"cgroup_cpus"`
	CgroupBytes int64    `json:"cgroup_bytes"`
}

// CacheReport is a folder that graft fills.
type CacheReport struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// ToolReport is a program that graft, or the user, may need.
type ToolReport struct {
	Name   string `json:"name"`
	Path   string `json:"path"` // "" when it is not there
	Detail string `json:"detail,omitempty"`
}

// Problem is something missing and the command that mends it.
type Problem struct {
	What string `json:"what"`
	Fix  string `json:"mend"`
}

// Doctor looks at this machine. It loads the library and has open start every provider
// once, which may take seconds with a GPU; without the library only what needs none.
func Doctor(ctx context.Context, open Opener) Report {
	r := Report{
		Pinned: PinnedVersion, CPU: cpuReport("/"), Caches: cacheReports(), Tools: toolReports(ctx),
		Problems: []Problem{}, // never null in JSON
	}
	providers := []session.Provider{session.Go}
	switch lib, err := loaded(); {
	case err == nil:
		r.Library = &lib
		providers = session.Providers()
	case !cgo:
		r.problem(buildWithCgo()+" (graft's own engine runs without, several times slower)", "%v", err)
	case !errors.Is(err, errNotInstalled) && os.Getenv(EnvLibrary) != "":
		r.problem("unset "+EnvLibrary+", or name a library that loads", "%v", err)
	default:
		r.problem("graft setup", "%v", err)
	}
	muted(func() { r.Providers = providerReports(ctx, providers, open) })
	r.diagnose()
	return r
}

// buildWithCgo is how a graft is built that loads ONNX Runtime.
func buildWithCgo() string {
	build := "CGO_ENABLED=1 go build ./cmd/graft"
	for _, compiler := range []string{"gcc", "clang", "cc"} {
		if _, err := exec.LookPath(compiler); err == nil {
			return build
		}
	}
	return "install a C compiler (Debian and Ubuntu: apt install gcc; Alpine: apk add gcc musl-dev; macOS: xcode-select --install; Windows: MinGW-w64), then " + build
}

// Err tells that the main job, from images to embeddings on the CPU, does not run as this build is meant to: through
// ONNX Runtime, or, built without cgo, on graft's own engine.
func (r *Report) Err() error {
	wanted := session.Provider(session.CPU)
	if !cgo {
		wanted = session.Go
	}
	for _, p := range r.Providers {
		if p.Name == wanted && p.Starts {
			return nil
		}
	}
	own := slices.ContainsFunc(r.Providers, func(p ProviderReport) bool { return p.Name == session.Go && p.Starts })
	if own {
		return fmt.Errorf("ONNX Runtime does not run here: the main job would run on graft's own engine alone (--provider %s), several times slower", session.Go)
	}
	return errors.New("no provider runs here: nothing can be extracted")
}

func (r *Report) problem(mend, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{fmt.Sprintf(format, args...), mend})
}

// diagnose compares what is there with what could be.
func (r *Report) diagnose() {
	nvidia := r.tool("nvidia-smi")
	if cgo && r.Library == nil && r.tool("npm").Path == "" {
		r.problem("install npm with the system's package manager, or bring the archive from another machine: graft setup --from FILE",
			"npm, which 'graft setup' needs where GitHub cannot be reached")
	}
	for _, p := range r.Providers {
		switch {
		case p.Name == session.CPU && !p.Starts:
			r.problem("graft setup", "the CPU provider does not start: %s", p.Problem)
		case p.Name == session.CUDA && !p.Starts && nvidia.Path != "" && nvidia.Detail != "":
			mend := "graft setup --gpu"
			if p.InLibrary {
				mend = "install what is missing"
			}
			r.problem(mend, "an NVIDIA card is here and the CUDA provider does not start: %s", p.Problem)
		}
	}
	if r.CPU.CgroupCPUs > 0 && float64(r.CPU.GOMAXPROCS) > r.CPU.CgroupCPUs+1 {
		r.problem("unset GOMAXPROCS", "GOMAXPROCS is %d, and the control group grants %.1f CPUs", r.CPU.GOMAXPROCS, r.CPU.CgroupCPUs)
	}
	if r.CPU.Arch == "amd64" && !cpu.X86.HasAVX2 {
		r.problem("use another machine", "this CPU has no AVX2: ONNX Runtime will be slow")
	}
}

func (r *Report) tool(name string) ToolReport {
	i := slices.IndexFunc(r.Tools, func(t ToolReport) bool { return t.Name == name })
	if i < 0 {
		return ToolReport{}
	}
	return r.Tools[i]
}

func providerReports(ctx context.Context, providers []session.Provider, open Opener) []ProviderReport {
	var out []ProviderReport
	for _, p := range providers {
		err := tryProvider(ctx, tinyModel(), p, open)
		report := ProviderReport{Name: p, InLibrary: p != session.Go && !errors.Is(err, errNotInBuild), Starts: err == nil}
		if err != nil {
			report.Problem = strings.TrimPrefix(err.Error(), fmt.Sprintf("provider %s: ", p))
		}
		out = append(out, report)
	}
	return out
}

// tryProvider starts a provider and checks what it computes.
func tryProvider(ctx context.Context, model *onnx.Model, p session.Provider, open Opener) error {
	s, err := open(model, session.Options{Provider: p})
	if err != nil {
		return err
	}
	defer s.Close()
	y := make([]float32, 3)
	in := []session.Tensor{{Name: "x", Shape: []int64{1, 2}, Data: []float32{1, 10}}}
	if err := s.Run(ctx, in, []session.Tensor{{Name: "y", Shape: []int64{1, 3}, Data: y}}); err != nil {
		return err
	}
	if want := []float32{51, 72, 93}; !slices.Equal(y, want) {
		return fmt.Errorf("provider %s: it computes %v where %v is right", p, y, want)
	}
	return nil
}

func cpuReport(root string) CPUReport {
	c := CPUReport{Arch: runtime.GOARCH, Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Features: cpuFeatures()}
	c.CgroupCPUs, c.CgroupBytes = cgroupLimits(root)
	return c
}

// cpuFeatures lists the instruction sets that ONNX Runtime's and graft's own
// kernels choose by.
func cpuFeatures() []string {
	out := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx", cpu.X86.HasAVX}, {"fma", cpu.X86.HasFMA}, {"avx2", cpu.X86.HasAVX2},
		{"avx512f", cpu.X86.HasAVX512F}, {"avx512vnni", cpu.X86.HasAVX512VNNI}, {"avx512bf16", cpu.X86.HasAVX512BF16},
		{"avx-vnni", cpu.X86.HasAVXVNNI}, {"amx-int8", cpu.X86.HasAMXInt8}, {"amx-bf16", cpu.X86.HasAMXBF16},
		{"asimd", cpu.ARM64.HasASIMD}, {"asimddp", cpu.ARM64.HasASIMDDP}, {"i8mm", cpu.ARM64.HasI8MM}, {"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			out = append(out, f.name)
		}
	}
	return out
}

// cacheReports lists what lies in graft's part of the user's cache.
func cacheReports() []CacheReport {
	base, err := os.UserCacheDir()
	if err != nil {
		return []CacheReport{}
	}
	base = filepath.Join(base, "graft")
	out := []CacheReport{{Name: "all", Path: base, Bytes: folderSize(base)}}
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if e.IsDir() {
			path := filepath.Join(base, e.Name())
			out = append(out, CacheReport{Name: e.Name(), Path: path, Bytes: folderSize(path)})
		}
	}
	return out
}

// folderSize adds up the files below dir; what cannot be read counts nothing.
func folderSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

func toolReports(ctx context.Context) []ToolReport {
	return []ToolReport{
		toolReport(ctx, "npm", "--version"),
		toolReport(ctx, "nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
	}
}

// toolReport runs a program for its first line of output, within ten seconds.
func toolReport(ctx context.Context, name string, args ...string) ToolReport {
	t := ToolReport{Name: name}
	path, err := exec.LookPath(name)
	if err != nil {
		return t
	}
	t.Path = path
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err == nil {
		t.Detail, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	}
	return t
}
