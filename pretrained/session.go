package pretrained

import (
	"errors"
	"fmt"

	"graft/onnx"
	"graft/onnx/session"
	"graft/onnx/tune"
)

// OpenSession starts the session that a backbone runs on: with o.Outputs named,
// only what these need is computed. Graphs of graft's own files, which are known
// to allow it, are first rewritten to give the same in less time (package tune), and
// their weights are mapped into memory from where they lie; foreign files are
// loaded as they are. Files in float16 are refused where the CPU would run them.
func OpenSession(path string, o session.Options) (session.Session, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	return f.OpenSession(o)
}

// OpenSession is OpenSession of a file whose header was read.
func (f *File) OpenSession(o session.Options) (session.Session, error) { return f.openSession(o, nil) }

// openSession is OpenSession where o.Outputs may name cuts.
func (f *File) openSession(o session.Options, cuts []tapInfo) (session.Session, error) {
	kind := f.Meta.Precision
	if err := checkPrecision(kind, o.Provider, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	var s session.Session
	var err error
	switch {
	case f.Own():
		s, err = openTuned(f, o, cuts)
	case cuts != nil:
		s, err = openCut(f, o, cuts)
	default:
		s, err = openFile(f, o)
	}
	if err != nil {
		return nil, err
	}
	if err := checkPrecision(kind, s.Provider(), s.PassedOver()); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), s.Close())
	}
	return s, nil
}

func openTuned(f *File, o session.Options, cuts []tapInfo) (session.Session, error) {
	return withModel(f.Path, func(m *onnx.Model) (session.Session, error) {
		addCuts(m, cuts)
		if o.Outputs == nil {
			o.Outputs = session.Names(m.Outputs)
		}
		if err := tune.Outputs(m, o.Outputs); err != nil {
			return nil, err
		}
		return openModel(m, o, tune.Strides)
	})
}

// openCut starts a session on a foreign model that ends where o.Outputs says.
func openCut(f *File, o session.Options, cuts []tapInfo) (session.Session, error) {
	return withModel(f.Path, func(m *onnx.Model) (session.Session, error) {
		addCuts(m, cuts)
		var err error
		if m.Outputs, err = session.SelectOutputs(m.Outputs, o.Outputs); err != nil {
			return nil, err
		}
		m.Prune()
		return OpenModel(m, o)
	})
}

// DefaultBatch is how many images per inference suit a provider. On the CPU (Go too), where
// every thread runs batches of its own (session.Options.Throughput), few are best: of
// ViT-Ti/16 and ViT-B/16, float32 and int8, batches of 2 and 4 are within 4% of
// each other, of ViT-Ti/16 10 to 20% faster than 16, and while photographs are
// decoded beside it 4 gains 3 to 5% over 2. Accelerators want many; 32 is a guess, which
// extract.Config.AutoBatch replaces by a measurement.
func DefaultBatch(p session.Provider) int {
	if p == session.CPU || p == session.Go {
		return 4
	}
	return 32
}

// DefaultBatch is that of the backbone's provider, or the batch that is fixed in
// its file.
func (b *Backbone) DefaultBatch() int {
	if f, ok := b.adapter.(*foreignModel); ok && f.batch > 0 {
		return f.batch
	}
	return DefaultBatch(b.Provider())
}
