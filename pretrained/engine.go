package pretrained

import (
	"context"
	"errors"
	"fmt"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/session"
	"graft/pretrained/blocks"
)

// This file alone knows what makes sessions.

// Native tells whether ONNX Runtime can be used here; its error says what is missing
// and the command that mends it. Without it, models run on session.Go.
func Native() error { return ort.Available() }

// Want says, before anything is loaded, which provider is going to run: some lie in a library of their own, and a process
// loads one.
func Want(p session.Provider) {
	if order, _ := autoOrder(); p == session.Auto && len(order) > 0 { // choose tells its error
		p = order[0]
	}
	ort.Want(p)
}

// local is the provider that runs models on the CPU of any machine.
func local() session.Provider {
	if Native() != nil {
		return session.Go
	}
	return session.CPU
}

// starter starts a session on the provider that is named.
type starter func(o session.Options) (session.Session, error)

// OpenModel starts a session on a model that onnx.Open read, and that may have been
// changed since, or that was built in memory. A file's weights are taken from
// there; it must stay as it is, and the model open, until the session is closed.
func OpenModel(m *onnx.Model, o session.Options) (session.Session, error) {
	s, _, err := choose(o, fromModel(m, func(*onnx.Model) error { return nil }))
	return s, err
}

// fromModel starts sessions on a model that is prepared for ONNX Runtime, where that is there.
func fromModel(m *onnx.Model, prepare func(*onnx.Model) error) starter {
	prepared := false
	return func(o session.Options) (session.Session, error) {
		if o.Provider == session.Go {
			return gosession.Open(m, o)
		}
		if err := Native(); err != nil {
			return nil, err
		}
		if !prepared {
			if err := prepare(m); err != nil {
				return nil, err
			}
			prepared = true
		}
		return ort.OpenModel(m, o)
	}
}

// fromFile starts sessions on a file as it is, or as it was changed.
func fromFile(f *File) starter {
	return func(o session.Options) (session.Session, error) {
		if f.change != nil {
			return f.withModel(func(m *onnx.Model) (s session.Session, err error) {
				if m.Outputs, err = session.SelectOutputs(m.Outputs, o.Outputs); err != nil {
					return nil, err
				}
				m.Prune()
				return fromModel(m, func(*onnx.Model) error { return nil })(o)
			})
		}
		if o.Provider == session.Go {
			return f.withModel(func(m *onnx.Model) (session.Session, error) { return gosession.Open(m, o) })
		}
		return ort.Open(f.Path, f.Header, o)
	}
}

// choose starts a session on the first provider that o allows and that start takes; passed
// says why it did not take those before it.
func choose(o session.Options, start starter) (s session.Session, passed []error, err error) {
	if o, err = o.Check(); err != nil {
		return nil, nil, err
	}
	if o.Provider == session.Auto {
		var damaged error
		if o.Order, damaged = autoOrder(); damaged != nil && o.Note != nil {
			o.Note(damaged.Error())
		}
	}
	candidates := o.Candidates()
	ort.Want(candidates[0].Provider)
	for _, c := range candidates {
		s, err := start(c)
		if err == nil {
			if n := len(passed); n > 0 && c.Provider == session.Go && o.Note != nil {
				o.Note(fmt.Sprintf("provider auto is %s, graft's own engine: %v", c.Provider, passed[n-1]))
			}
			return s, passed, nil
		}
		passed = append(passed, err)
	}
	if len(candidates) > 1 { // what accelerators lack says nothing of the model
		return nil, nil, errors.Join(passed[len(passed)-2:]...)
	}
	if o.Provider != session.Go && Native() != nil {
		return nil, nil, fmt.Errorf("provider %s: %w; --provider %s needs no library", o.Provider, passed[0], session.Go)
	}
	return nil, nil, passed[0]
}

// checkEngine compares graft's own engine with the plainest loops, up to the end of the first
// block where the network has such.
func (f *File) checkEngine(ctx context.Context, c *comparison, t *trial) error {
	m, err := f.open()
	if err != nil {
		return err
	}
	in, outputs := t.first(), c.Outputs
	shape := make([]int, len(in.Shape))
	for i, d := range in.Shape {
		shape[i] = int(d)
	}
	if cuts, err := blocks.Find(m, shape); err == nil {
		outputs = []string{cuts[1].Tensor}
	}
	c.Reference = "plain loops in float64"
	c.Distance, c.At, err = gosession.Check(ctx, m, in, outputs)
	return errors.Join(err, m.Close())
}

// withModel starts a session on the file's model, changed where it is to be. The model is closed with the session.
func (f *File) withModel(start func(m *onnx.Model) (session.Session, error)) (session.Session, error) {
	m, err := f.open()
	if err != nil {
		return nil, err
	}
	s, err := start(m)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), m.Close())
	}
	return holding{s, m}, nil
}

// holding is a session with the model that its weights come from.
type holding struct {
	session.Session
	model *onnx.Model
}

func (h holding) Close() error { return errors.Join(h.Session.Close(), h.model.Close()) }

// Try starts a session on the CPU on a file that was written, and ends it: what a
// runtime refuses is better known before the file takes its name. Where ONNX Runtime
// is missing (Native) it does nothing.
func Try(path string) error {
	if Native() != nil {
		return nil
	}
	s, err := (&File{Path: path}).withModel(func(m *onnx.Model) (session.Session, error) {
		return OpenModel(m, session.Options{Provider: session.CPU, Trial: true})
	})
	if err != nil {
		return err
	}
	return s.Close()
}
