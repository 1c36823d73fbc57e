package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/models"
	"graft/onnx"
	"graft/pretrained/checkpoint"
	"graft/pretrained/detect/detecttest"
)

// tinyName is the zoo's smallest entry: a ViT-Ti/16 with timm's names.
const tinyName = "vit_tiny_patch16_augreg"

// randomTiny writes a checkpoint with the tensors of tinyName and random
// values.
func randomTiny(t *testing.T, path string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	var tensors []checkpoint.Tensor
	add := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(rng.NormFloat64()) * 0.02
		}
		tensors = append(tensors, checkpoint.Tensor{Name: name, Shape: shape, Data: data})
	}
	linear := func(name string, out, in int) { add(name+".weight", out, in); add(name+".bias", out) }
	norm := func(name string) { add(name+".weight", 192); add(name+".bias", 192) }
	add("cls_token", 1, 1, 192)
	add("pos_embed", 1, 197, 192)
	add("patch_embed.proj.weight", 192, 3, 16, 16)
	add("patch_embed.proj.bias", 192)
	for i := range 12 {
		block := fmt.Sprintf("blocks.%d.", i)
		norm(block + "norm1")
		linear(block+"attn.qkv", 576, 192)
		linear(block+"attn.proj", 192, 192)
		norm(block + "norm2")
		linear(block+"mlp.fc1", 768, 192)
		linear(block+"mlp.fc2", 192, 768)
	}
	norm("norm")
	linear("head", 1000, 192)
	if err := checkpoint.WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
}

// serveFile serves data with an ETag and ranges; the first answer breaks off
// after cut bytes.
func serveFile(t *testing.T, data []byte, cut int) string {
	t.Helper()
	first := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if first {
			first = false
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:cut])
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/model.safetensors"
}

// wantBackbone checks the ONNX file that a pull made: the zoo's preprocessing
// and the checkpoint's digest are in it.
func wantBackbone(t *testing.T, path, digest string) {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	for key, want := range map[string]string{
		"graft.arch": "vit_ti_16", "graft.source_sha256": digest, "graft.mean": "0.5,0.5,0.5", "graft.std": "0.5,0.5,0.5",
		"graft.crop_pct": "0.9", "graft.width": "192", "graft.depth": "12",
	} {
		if got := m.Metadata[key]; got != want {
			t.Errorf("metadata %s is %q, want %q", key, got, want)
		}
	}
}

// From a server that cuts the connection to an ONNX file.
func TestPullModel(t *testing.T) {
	source := filepath.Join(t.TempDir(), "tiny.safetensors")
	randomTiny(t, source)
	data, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(source, "")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := f.SHA256(t.Context())
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := models.Get(tinyName)
	if err != nil {
		t.Fatal(err)
	}
	entry.SHA256, entry.URL = digest, serveFile(t, data, 1_000_000)
	dir := t.TempDir()
	verified := ""
	res, err := pullModel(context.Background(), entry, pullConfig{
		Dir: dir, Download: models.DownloadOptions{Backoff: time.Millisecond}, Verified: func(r models.Result) { verified = r.Verified },
	})
	if err != nil {
		t.Fatal(err)
	}
	if verified != "SHA-256 as stated by the zoo" || !res.Weights.Fetched || res.Weights.SHA256 != digest || res.ONNX.Arch != "vit_ti_16" {
		t.Errorf("%q, %+v", verified, res)
	}
	wantBackbone(t, filepath.Join(dir, tinyName+".onnx"), digest)
}

// The command itself, with the real weights where they are at hand.
func TestModelPullReal(t *testing.T) {
	path := os.Getenv("GRAFT_VIT_TINY")
	if path == "" {
		t.Skip("GRAFT_VIT_TINY names no file: pulling the real ViT-Tiny/16 weights is not checked")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, result := t.TempDir(), filepath.Join(t.TempDir(), "pull.json")
	args := []string{"graft", "model", "pull", "--dir", dir, "--url", serveFile(t, data, 5_000_000), "--json", result, tinyName}
	if code := runArgs(context.Background(), args); code != exitDone {
		t.Fatalf("exit status %d", code)
	}
	var res pullResult
	text, err := os.ReadFile(result)
	if err == nil {
		err = json.Unmarshal(text, &res)
	}
	if err != nil || !res.Weights.Pinned {
		t.Errorf("%v, %+v", err, res)
	}
	checkSchema(t, "model pull", text)
	wantBackbone(t, filepath.Join(dir, tinyName+".onnx"), "a22e9b3685d1feca11a382fbed2db95defc965fe037c026069331b6c243268a6")
}

// What is ONNX already is verified, tried and left as it is.
func TestPullFaces(t *testing.T) {
	data, err := os.ReadFile(detecttest.Write(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	entry, err := models.Get(models.Faces)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	dir, digest := t.TempDir(), hex.EncodeToString(sum[:])
	entry.SHA256, entry.URL = digest, serveFile(t, data, 1000)
	res, err := pullModel(t.Context(), entry, pullConfig{Dir: dir, Download: models.DownloadOptions{Backoff: time.Millisecond}, Verified: func(models.Result) {}})
	if err != nil || res.ONNX != nil || !res.Weights.Pinned || res.Weights.SHA256 != digest || res.License != "MIT" {
		t.Errorf("%+v, %v", res, err)
	}
	if got, err := os.ReadFile(entry.ONNXPath(dir)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s: %d bytes, %v", entry.ONNXPath(dir), len(got), err)
	}
}

// Another file than the zoo's, even from a mirror that the user named, fails
// and leaves nothing.
func TestModelPullWrongHash(t *testing.T) {
	dir := t.TempDir()
	url := serveFile(t, []byte(strings.Repeat("other weights", 100)), 10)
	err := newApp().RunContext(context.Background(), []string{"graft", "model", "pull", "--dir", dir, "--url", url, tinyName})
	if err == nil || !strings.Contains(err.Error(), "the zoo says a22e9b36") || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v, want one with the hash wanted and the address", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestModelPullUsage(t *testing.T) {
	for _, args := range [][]string{{"pull"}, {"pull", "no_such_model"}, {"pull", "a", "b"}, {"list", "x"}, {"push"}} {
		if code := runArgs(context.Background(), append([]string{"graft", "model"}, args...)); code != exitUsage {
			t.Errorf("graft model %v: exit status %d, want %d", args, code, exitUsage)
		}
	}
}

func TestModelList(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vit_b_16.onnx"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	if err := app.Run([]string{"graft", "model", "list", "--dir", dir}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < len(models.List())+1 || !strings.HasPrefix(strings.Join(strings.Fields(lines[1]), " "), "vit_b_16 346 not pinned, c867db91… onnx BSD-3-Clause") {
		t.Errorf("table:\n%s", out.String())
	}
	out.Reset()
	if err := app.Run([]string{"graft", "model", "list", "--dir", dir, "--json", "-"}); err != nil {
		t.Fatal(err)
	}
	var rows []modelRow
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil || len(rows) != len(models.List()) || !rows[0].Here.ONNX || rows[1].Here.ONNX {
		t.Errorf("JSON: %v\n%.300s", err, out.String())
	}
}
