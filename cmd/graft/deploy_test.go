package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

const deploy = "../../deploy"

// bash runs a script with bash, settings on top of the environment.
func bash(t *testing.T, settings []string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	cmd := exec.Command("bash", args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), settings...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestSlurmArray runs the array script as Slurm would, task by task, and compares
// the store with an ordinary one.
func TestSlurmArray(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	model, data := vittest.WriteTiny(t, dir), photos(t, 30, 4)
	whole, shared := filepath.Join(dir, "whole"), filepath.Join(dir, "shared")
	flags := []string{"--taps", "cls,mean", "--provider", "cpu", "--shard-rows", "4"}
	must(t, append([]string{"extract", "--data", data, "--model", model, "--out", whole}, flags...)...)
	settings := []string{"GRAFT=" + exe, "DATA=" + data, "MODEL=" + model, "OUT=" + shared, "SLURM_CPUS_PER_TASK=1"}
	script := filepath.Join(deploy, "slurm", "extract.sbatch")
	task := func(i int, more ...string) (string, error) {
		return bash(t, append(append(settings, fmt.Sprintf("SLURM_ARRAY_TASK_ID=%d", i)), more...), append([]string{script}, flags...)...)
	}
	for _, i := range []int{2, 0} {
		if out, err := task(i, "SLURM_ARRAY_TASK_COUNT=3"); err != nil || !strings.Contains(out, "still lacks") {
			t.Fatalf("task %d: %v\n%s", i, err, out)
		}
	}
	// The third is submitted again by itself: Slurm then counts one task.
	if out, err := task(1, "SLURM_ARRAY_TASK_COUNT=1"); err == nil || !strings.Contains(out, "PARTS=8") {
		t.Errorf("task 1 of 1: %v\n%s", err, out)
	}
	if out, err := task(1, "SLURM_ARRAY_TASK_COUNT=1", "PARTS=3"); err != nil {
		t.Fatalf("task 1 again: %v\n%s", err, out)
	}
	sameFolder(t, whole, shared)
	if out, err := bash(t, nil, script); err == nil || !strings.Contains(out, "DATA") {
		t.Errorf("without settings: %v\n%s", err, out)
	}
}

// TestSlurmSubmit puts an sbatch on the PATH that says how it was called.
func TestSlurmSubmit(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\nprintf '%s|' \"$OUT\" \"$@\" >>\"$LOG\"; echo >>\"$LOG\"; echo '42;cluster'\n"
	if err := os.WriteFile(filepath.Join(dir, "sbatch"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	out, err := bash(t, []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH"), "LOG=" + log,
		"DATA=d", "MODEL=m", "OUT=my store", "PARTS=8", "SBATCH_FLAGS=--partition=cpu --account=me"},
		filepath.Join(deploy, "slurm", "submit"), "--taps", "cls,mean")
	if err != nil || !strings.Contains(out, "job 42, 8 tasks") {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "my store|--parsable|--array=0-7|--partition=cpu|--account=me|") || !strings.HasSuffix(lines[0], "extract.sbatch|--taps|cls,mean|") {
		t.Fatalf("sbatch was called with\n%s", text)
	}
	if !strings.Contains(lines[1], "|--dependency=afterany:42|") || !strings.HasSuffix(lines[1], `|--wrap="$GRAFT" embeddings verify "$OUT"|`) {
		t.Errorf("the check was submitted with\n%s", lines[1])
	}
}

func TestDeployScripts(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(deploy, "slurm", "*"))
	if err != nil || len(scripts) != 2 {
		t.Fatalf("scripts %v, %v", scripts, err)
	}
	for _, s := range scripts {
		if out, err := bash(t, nil, "-n", s); err != nil {
			t.Errorf("%s: %v\n%s", s, err, out)
		}
		if lint, err := exec.LookPath("shellcheck"); err == nil {
			if out, err := exec.Command(lint, s).CombinedOutput(); err != nil {
				t.Errorf("shellcheck %s: %v\n%s", s, err, out)
			}
		}
	}
}

// TestImage runs what can be run of the Dockerfile without Docker: its build of graft,
// which must know its version, or fail. Certificates are what downloads need.
func TestImage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	build, final, _ := strings.Cut(string(text), "\nFROM ${FINAL_IMAGE}")
	if !strings.Contains(final, " ca-certificates ") || !strings.Contains(final, "\nARG VERSION\nLABEL ") {
		t.Errorf("the final stage lacks certificates or a label with the version:\n%s", final)
	}
	if !strings.Contains(build, "\nARG VERSION\nRUN VERSION=$VERSION SETUP=$SETUP deploy/build /image\n") || !strings.Contains(final, "\nCOPY --from=build /image /\n") {
		t.Fatalf("the image is not what deploy/build makes:\n%s", text)
	}
	steps, err := os.ReadFile(filepath.Join(deploy, "build"))
	if err != nil {
		t.Fatal(err)
	}
	image := t.TempDir()
	exe := filepath.Join(image, "usr/local/bin/graft")
	// Without -trimpath, which would compile everything anew, and with words for setup that fetch nothing.
	script := filepath.Join(t.TempDir(), "build")
	if err := os.WriteFile(script, []byte("cd ../..\n"+strings.Replace(string(steps), "-trimpath ", "", 1)), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := bash(t, []string{"VERSION="}, script, image); err == nil || !strings.Contains(out, "--build-arg VERSION") {
		t.Errorf("without a version: %v, %s", err, out)
	}
	if out, err := bash(t, []string{"VERSION=v9.8.7", "SETUP=version"}, script, image); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(exe, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "graft v9.8.7,") {
		t.Errorf("graft version: %v, %s", err, out)
	}
}

// TestIndexedJob runs what the manifest tells the image's entry point, as the pods of the Indexed Job would: the Job tells each its
// index, and the arguments take their part from there.
func TestIndexedJob(t *testing.T) {
	orttest.Require(t)
	text, err := os.ReadFile(filepath.Join(deploy, "kubernetes", "extract.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	args := regexp.MustCompile(`(?m)^            - ((?:extract|--)\S*)`).FindAllStringSubmatch(string(text), -1)
	parts := regexp.MustCompile(`- name: PARTS\n +value: "(\d+)"`).FindStringSubmatch(string(text))
	if len(args) != 7 || parts == nil {
		t.Fatalf("arguments %q, PARTS %q", args, parts)
	}
	dir := t.TempDir()
	model, data := vittest.WriteTiny(t, dir), photos(t, 30, 4)
	whole, shared := filepath.Join(dir, "whole"), filepath.Join(dir, "shared")
	more := []string{"--provider=cpu", "--shard-rows=4"}
	must(t, append([]string{"extract", "--data", data, "--model", model, "--out", whole, "--taps", "cls,mean", "--threads", "1"}, more...)...)
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	for index := range n {
		said := strings.NewReplacer("$(JOB_COMPLETION_INDEX)", strconv.Itoa(index), "$(PARTS)", parts[1], "$(CPUS)", "1",
			"/data/photos", data, "/data/vit_b_16.onnx", model, "/data/embeddings", shared)
		var words []string
		for _, a := range args {
			words = append(words, said.Replace(a[1]))
		}
		if strings.Contains(strings.Join(words, " "), "$(") {
			t.Fatalf("a variable that nobody sets: %q", words)
		}
		must(t, append(words, more...)...)
	}
	sameFolder(t, whole, shared)
}

// toJSON turns YAML files into a list of their documents.
const toJSON = "import json, sys, yaml\njson.dump([d for f in sys.argv[1:] for d in yaml.safe_load_all(open(f))], sys.stdout)"

// TestKubernetesManifests parses the manifests, and checks what has to agree.
func TestKubernetesManifests(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import yaml").Run() != nil {
		t.Skip("no python3 with yaml to read the manifests with")
	}
	args := []string{"-c", toJSON}
	for _, name := range []string{"extract", "verify", "volume"} {
		args = append(args, filepath.Join(deploy, "kubernetes", name+".yaml"))
	}
	out, err := exec.Command(python, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	type container struct {
		Args            []string
		SecurityContext struct {
			AllowPrivilegeEscalation *bool
			ReadOnlyRootFilesystem   bool
			Capabilities             struct{ Drop []string }
		}
		Resources struct{ Requests, Limits map[string]string }
		Env       []struct{ Name, Value string }
	}
	var docs []struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			CompletionMode                                 string
			Completions, Parallelism, BackoffLimitPerIndex int
			PodFailurePolicy                               struct{ Rules []struct{ Action string } }
			Template                                       struct {
				Spec struct {
					RestartPolicy   string
					SecurityContext struct {
						RunAsNonRoot   bool
						SeccompProfile struct{ Type string }
					}
					AutomountServiceAccountToken *bool
					Containers                   []container
					Volumes                      []struct {
						Name                  string
						PersistentVolumeClaim struct{ ClaimName string }
					}
				}
			}
			AccessModes []string
		}
	}
	if err := json.Unmarshal(out, &docs); err != nil || len(docs) != 3 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	job, check, volume := docs[0].Spec, docs[1].Spec, docs[2]
	c := job.Template.Spec.Containers[0]
	if job.CompletionMode != "Indexed" || c.Env[0].Name != "PARTS" || c.Env[0].Value != fmt.Sprint(job.Completions) || job.Parallelism != job.Completions {
		t.Errorf("%s with %d completions, %d at once, and PARTS %+v", job.CompletionMode, job.Completions, job.Parallelism, c.Env[0])
	}
	if args := strings.Join(c.Args, " "); !strings.HasPrefix(args, "extract ") || !strings.Contains(args, "--shard=$(JOB_COMPLETION_INDEX)/$(PARTS)") {
		t.Errorf("arguments %s", args)
	}
	if job.BackoffLimitPerIndex > 0 && job.Template.Spec.RestartPolicy != "Never" {
		t.Errorf("restart policy %s; a limit for each index wants Never", job.Template.Spec.RestartPolicy)
	}
	// Status 2 is wrong usage, and a crash of Go's runtime too.
	if rules := job.PodFailurePolicy.Rules; len(rules) != 1 || rules[0].Action != "Ignore" {
		t.Errorf("rules %+v; want none that gives up on an exit status", rules)
	}
	if args := strings.Join(check.Template.Spec.Containers[0].Args, " "); args != "embeddings verify /data/embeddings" {
		t.Errorf("the check runs %s", args)
	}
	for _, d := range docs[:2] {
		pod := d.Spec.Template.Spec
		if c := pod.Containers[0].SecurityContext; !pod.SecurityContext.RunAsNonRoot || c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation ||
			!c.ReadOnlyRootFilesystem || strings.Join(c.Capabilities.Drop, "") != "ALL" {
			t.Errorf("%s may be root, gain rights or keep some: %+v %+v", d.Metadata.Name, pod.SecurityContext, c)
		}
		if r := pod.Containers[0].Resources; pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken ||
			r.Requests["cpu"] == "" || r.Requests["memory"] == "" || r.Limits["cpu"] == "" || r.Limits["memory"] == "" {
			t.Errorf("%s has no seccomp profile, a token of the cluster, or no bounds: %+v %+v", d.Metadata.Name, pod.SecurityContext, r)
		}
		if d.Kind != "Job" || pod.Volumes[len(pod.Volumes)-1].PersistentVolumeClaim.ClaimName != volume.Metadata.Name {
			t.Errorf("%s %s does not mount %s", d.Kind, d.Metadata.Name, volume.Metadata.Name)
		}
	}
	if volume.Kind != "PersistentVolumeClaim" || strings.Join(volume.Spec.AccessModes, "") != "ReadWriteMany" {
		t.Errorf("volume %+v", volume)
	}
}
