package demo

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"graft/models"
	"graft/preprocess/dataset"
	"graft/pretrained/vit"
)

// Limits on fetching weights, so that a machine without network goes on soon.
const (
	connectTimeout  = 8 * time.Second
	downloadTimeout = 90 * time.Second
)

// backbone brings the ONNX file: from the weights given, from the zoo, or from the program itself.
func (j *job) backbone(ctx context.Context, _ *dataset.Dataset) error {
	folder := filepath.Join(j.Out, "backbones")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if strings.HasSuffix(j.Weights, ".onnx") {
		j.say("backbone", "%s as it is", j.Weights)
		return j.settle(j.Weights, baseName(j.Weights))
	}
	o, name, err := j.weights(ctx, folder)
	if err != nil {
		return err
	}
	o.Out, o.Version = filepath.Join(folder, name+".onnx"), j.Version
	// Equal weights give equal bytes, so writing the file again does no harm to
	// embeddings made with it.
	s, err := vit.Convert(ctx, o, j.Progress("exporting (bytes)"))
	if err != nil {
		return err
	}
	j.tell("%s: %s, %.1f million parameters, %d pixels, %s", s.Out, s.Arch, float64(s.Parameters)/1e6, s.Image, s.Source)
	for _, n := range s.Notes {
		j.tell("%s", n)
	}
	return j.settle(o.Out, name)
}

// settle fixes where everything else goes: a folder for each pair of dataset and
// backbone, so that another pair never meets the embeddings of this one.
func (j *job) settle(path, name string) error {
	j.result.Backbone = path
	j.result.Folder = filepath.Join(j.Out, j.dataName()+"-"+name)
	j.result.Embeddings = filepath.Join(j.result.Folder, "embeddings")
	j.result.Run = filepath.Join(j.result.Folder, "run")
	if j.mini {
		j.result.Run = filepath.Join(j.result.Folder, "frozen") // beside unfrozen and scratch
	}
	j.result.Model = filepath.Join(j.result.Folder, "model.onnx")
	return os.MkdirAll(j.result.Folder, 0o755)
}

// weights decides between a given checkpoint, the zoo's and the one that graft brings.
func (j *job) weights(ctx context.Context, folder string) (vit.ConvertOptions, string, error) {
	if j.Weights != "" {
		j.say("backbone", "from %s", j.Weights)
		return vit.ConvertOptions{Weights: j.Weights}, baseName(j.Weights), nil
	}
	if !j.Offline {
		j.say("backbone", "fetching %s from the zoo", ZooName)
		path, err := j.fetch(ctx, folder)
		if err == nil {
			return vit.ConvertOptions{Weights: path, Name: ZooName}, ZooName, nil
		}
		if ctx.Err() != nil {
			return vit.ConvertOptions{}, "", ctx.Err()
		}
		j.tell("%s could not be fetched: %v", ZooName, err)
		j.tell("taking %s, which graft brings", models.Mini)
	} else {
		j.say("backbone", "%s, which graft brings", models.Mini)
	}
	e, err := models.Get(models.Mini)
	if err != nil {
		return vit.ConvertOptions{}, "", err
	}
	r, err := models.Download(ctx, e, folder, models.DownloadOptions{})
	j.mini = true
	j.note("The network is the small one that graft brings. It was trained on drawn signs and people and never on an expression; " +
		"for photographs give --weights FILE.")
	return vit.ConvertOptions{Weights: r.Path, Name: models.Mini}, models.Mini, err
}

// fetch downloads the zoo's small network, or finds it downloaded.
func (j *job) fetch(ctx context.Context, folder string) (string, error) {
	e, err := models.Get(ZooName)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone() // it honours HTTPS_PROXY
	transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	transport.ResponseHeaderTimeout = connectTimeout
	defer transport.CloseIdleConnections()
	r, err := models.Download(ctx, e, folder, models.DownloadOptions{
		Client: &http.Client{Transport: transport}, Attempts: 2, Backoff: time.Second, Progress: j.Progress("downloading (bytes)"),
	})
	return r.Path, err
}
