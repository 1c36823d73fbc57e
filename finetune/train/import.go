package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/checkpoint"
)

// ImportConfig says how to make a run of a cnn's or vit's weights that were
// trained elsewhere.
type ImportConfig struct {
	Kind    string // nets.KindCNN or nets.KindViT
	Weights string // torch's .pth or .safetensors
	Key     string // of the state dict in it, see checkpoint.OpenKey
	Out     string // the run's folder, to be made
	Options map[string]any
	Classes []string // in the order of the outputs; none: FER2013's
	Data    string   // the dataset that eval reads by default; may be empty
	Pixels  run.PixelsRecord
	Force   bool
	Version string
}

// NewImportConfig is for the study's network of a kind.
func NewImportConfig(kind string) (ImportConfig, error) {
	c, err := NewNetConfig(kind, run.RecipeStudy)
	return ImportConfig{Kind: kind, Pixels: c.Pixels, Classes: dataset.FERClasses}, err
}

// net is the network, with the study's options where none are given.
func (c ImportConfig) net() (nets.Net, error) {
	if len(c.Classes) < 2 {
		return nil, fmt.Errorf("%d classes, want at least 2", len(c.Classes))
	}
	n := NetConfig{Kind: c.Kind, Recipe: run.RecipeStudy, Descent: Descent{Options: c.Options}}
	net, err := n.net(len(c.Classes))
	if err != nil {
		return nil, err
	}
	return net, c.Pixels.Check(net.InputShape())
}

// Check refuses settings that contradict each other.
func (c ImportConfig) Check() error {
	if c.Weights == "" || c.Out == "" {
		return errors.New("weights and a folder for the run are needed")
	}
	_, err := c.net()
	return err
}

// Import writes a run folder from a checkpoint under the study's names, in
// torch's layouts. It is strict: tensors that are missing, not known or of
// another shape are all named in the error.
func Import(ctx context.Context, c ImportConfig) (*run.Run, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if _, err := run.CheckFolder(c.Out, c.Force); err != nil {
		return nil, err
	}
	net, err := c.net()
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.OpenKey(c.Weights, c.Key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	weights, err := nets.Load(f, net)
	if err != nil {
		return nil, err
	}
	hash, err := f.SHA256()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	r := &run.Run{Dir: c.Out, Config: run.NewConfig(c.Kind, c.Version, 0, c.Classes)}
	r.Config.Imported = &run.ImportRecord{File: filepath.Base(c.Weights), SHA256: hash, Key: f.Key(), OtherKeys: f.Others()}
	if len(f.Others()) > 0 {
		r.Config.Notes = f.Notes()
	}
	r.Config.Pixels = &c.Pixels
	r.Config.Dataset.Ref = dataset.Ref{Path: c.Data}.Recorded()
	if err := r.SetNetwork(net, weights); err != nil {
		return nil, err
	}
	if err := run.StartFolder(r.Dir); err != nil {
		return nil, err
	}
	return r, r.SaveModel()
}
