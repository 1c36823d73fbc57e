package ort

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/session"
)

func TestCgroupLimits(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		cpus  float64
		bytes int64
	}{
		{"none", nil, 0, 0},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
			"sys/fs/cgroup/a/cpu.max": "150000 100000\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/memory.max": "1048576\n"}, 1.5, 1 << 20},
		{"version 1", map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/x\n2:memory:/x\n",
			"sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "200000\n", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 2, 0},
		{"no quota", map[string]string{"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 0, 0},
		{"nonsense", map[string]string{"proc/self/cgroup": "what\n0::/\n", "sys/fs/cgroup/cpu.max": "0 0\n", "sys/fs/cgroup/memory.max": "lots\n"}, 0, 0},
	}
	for _, tt := range tests {
		root := t.TempDir()
		for name, content := range tt.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if cpus, bytes := cgroupLimits(root); cpus != tt.cpus || bytes != tt.bytes {
			t.Errorf("%s: got %v CPUs, %d bytes; want %v, %d", tt.name, cpus, bytes, tt.cpus, tt.bytes)
		}
	}
}

func TestDiagnose(t *testing.T) {
	lib := &Library{}
	card := ToolReport{Name: "nvidia-smi", Path: "/usr/bin/nvidia-smi", Detail: "H100"}
	tests := []struct {
		name string
		r    Report
		want string // the command; "" for no problem
	}{
		{"no card, no CUDA", Report{Library: lib, Providers: []ProviderReport{{Name: session.CUDA}}}, ""},
		{"card, CPU build", Report{Library: lib, Tools: []ToolReport{card}, Providers: []ProviderReport{{Name: session.CUDA}}}, "graft setup --gpu"},
		{"card, cuDNN missing", Report{Library: lib, Tools: []ToolReport{card}, Providers: []ProviderReport{{Name: session.CUDA, InLibrary: true, Problem: "libcudnn.so.9"}}}, "install what is missing"},
		{"card, all well", Report{Library: lib, Tools: []ToolReport{card}, Providers: []ProviderReport{{Name: session.CUDA, InLibrary: true, Starts: true}}}, ""},
		{"no library, no npm", Report{}, "install npm with the system's package manager, or bring the archive from another machine: graft setup --from FILE"},
		{"no CPU provider", Report{Library: lib, Providers: []ProviderReport{{Name: session.CPU, InLibrary: true}}}, "graft setup"},
		{"more threads than CPUs", Report{Library: lib, CPU: CPUReport{GOMAXPROCS: 64, CgroupCPUs: 2}}, "unset GOMAXPROCS"},
	}
	for _, tt := range tests {
		tt.r.diagnose()
		got := ""
		if len(tt.r.Problems) > 0 {
			got = tt.r.Problems[0].Fix
		}
		if got != tt.want || len(tt.r.Problems) > 1 {
			t.Errorf("%s: got %v, want %q", tt.name, tt.r.Problems, tt.want)
		}
	}
}

func TestDoctor(t *testing.T) {
	r := Doctor(context.Background(), func(m *onnx.Model, o session.Options) (session.Session, error) {
		if o.Provider == session.Go {
			return gosession.Open(m, o)
		}
		return OpenModel(m, o)
	})
	if last := r.Providers[len(r.Providers)-1]; last.Name != session.Go || !last.Starts || last.InLibrary {
		t.Errorf("%+v, want go running without the library", last)
	}
	if r.Library == nil {
		if os.Getenv("GRAFT_REQUIRE_ORT") == "1" {
			t.Fatalf("no library: %v", r.Problems)
		}
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Fix == "graft setup" }) {
			t.Errorf("no library, and the report does not say how to install one: %v", r.Problems)
		}
		t.Skip("SKIPPED, ONNX Runtime is needed for the rest")
	}
	if len(r.Providers) != len(session.Providers()) || r.Providers[0].Name != session.CPU || !r.Providers[0].Starts {
		t.Errorf("providers %+v, want all, with the CPU running", r.Providers)
	}
	for _, p := range r.Providers {
		if p.Starts != (p.Problem == "") || strings.HasPrefix(p.Problem, "provider ") {
			t.Errorf("%+v", p)
		}
	}
	if r.CPU.Cores < 1 || r.CPU.GOMAXPROCS < 1 || len(r.Tools) != 2 || r.Err() != nil {
		t.Errorf("report %+v", r)
	}
}

func TestDoctorFailsWhereTheMainJobDoes(t *testing.T) {
	runs := func(p session.Provider) ProviderReport { return ProviderReport{Name: p, Starts: true} }
	for _, tt := range []struct {
		name string
		r    Report
		want string // "" for none, with cgo
	}{
		{"all well", Report{Providers: []ProviderReport{runs(session.CPU), runs(session.Go)}}, ""},
		{"no library", Report{Providers: []ProviderReport{runs(session.Go)}}, "own engine alone"},
		{"nothing", Report{Providers: []ProviderReport{{Name: session.CPU}, {Name: session.Go}}}, "no provider runs"},
	} {
		want := tt.want
		if !cgo && want == "own engine alone" {
			want = "" // it is meant to
		}
		if err := tt.r.Err(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tt.name, err, want)
		}
	}
}
