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
	Net         nets.Net // it has as many outputs as there are classes
	Weights     string   // torch's .pth or .safetensors
	Key         string   // of the state dict in it, see checkpoint.Open
	Prefix      string   // of the tensors' names; "": looked for
	Out         string   // the run's folder, to be made
	Classes     []string // in the order of the outputs
	Data        string   // the dataset that eval reads by default; may be empty
	Pixels      run.PixelsRecord
	Force       bool
	run.Program // for the record
}

// NewImportConfig is for the study's network of a kind, and FER2013's classes.
func NewImportConfig(kind string) (ImportConfig, error) {
	c, err := NewNetConfig(kind, run.RecipeStudy)
	return ImportConfig{Net: c.Net, Pixels: c.Pixels, Classes: dataset.FERClasses}, err
}

// Imported is an ImportConfig that was checked.
type Imported struct{ c ImportConfig }

// Check refuses settings that contradict each other.
func (c ImportConfig) Check() (Imported, error) {
	if c.Weights == "" || c.Out == "" {
		return Imported{}, errors.New("weights and a folder for the run are needed")
	}
	if len(c.Classes) < 2 {
		return Imported{}, fmt.Errorf("%d classes, want at least 2", len(c.Classes))
	}
	var err error
	if c.Net, err = nets.ForClasses(c.Net, len(c.Classes)); err == nil {
		err = errors.Join(checkIdle(c.Net), c.Pixels.Check(c.Net.InputShape()))
	}
	return Imported{c}, err
}

// Import checks a configuration and makes the run; see Imported.Write.
func Import(ctx context.Context, c ImportConfig) (*run.Run, error) {
	i, err := c.Check()
	if err != nil {
		return nil, err
	}
	return i.Write(ctx)
}

// Write makes the run folder of a checkpoint under the study's names, in torch's
// layouts. It is strict: tensors that are missing, not known or of another shape
// are all named in the error.
func (i Imported) Write(ctx context.Context) (r *run.Run, err error) {
	c := i.c
	_, release, err := run.Hold(c.Out, c.Force)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	f, prefix, err := checkpoint.OpenPrefix(c.Weights, c.Key, c.Prefix)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f, err = nets.Find(f, c.Net, prefix); err != nil {
		return nil, fmt.Errorf("weights file %s: %w", c.Weights, err)
	}
	weights, err := nets.Load(f, c.Net)
	if err != nil {
		return nil, err
	}
	hash, err := f.SHA256(ctx)
	if err != nil {
		return nil, err
	}
	r = &run.Run{Dir: c.Out, Config: run.NewConfig(c.Net.Kind(), c.Program, 0, c.Classes)}
	r.Config.Imported = &run.ImportRecord{File: filepath.Base(c.Weights), SHA256: hash, Key: f.Key(), OtherKeys: f.Others()}
	if f.Key() != "" {
		r.Config.Notes = f.Notes()
	}
	r.Config.Pixels = &c.Pixels
	r.Config.Dataset.Ref = dataset.Ref{Path: c.Data}.Recorded()
	r.Config.Net, r.Weights = c.Net, weights
	if err := run.StartFolder(r.Dir); err != nil {
		return nil, err
	}
	return r, r.SaveModel()
}
