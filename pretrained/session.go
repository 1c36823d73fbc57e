package pretrained

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"graft/onnx"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/onnx/tune"
)

var saturates = precision.Saturates // replaced by tests

// OpenSession starts the session that a backbone runs on: with o.Outputs named,
// only what these need is computed. Graphs of graft's own files, which are known
// to allow it, are first rewritten to give the same in less time (package tune), and
// their weights are mapped into memory from where they lie; foreign files are
// loaded as they are. Files in float16 are refused where the CPU would run them, and
// providers whose features are not those of the CPU.
func OpenSession(ctx context.Context, path string, o session.Options) (session.Session, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	return f.OpenSession(ctx, o)
}

// OpenSession is OpenSession of a file whose header was read.
func (f *File) OpenSession(ctx context.Context, o session.Options) (session.Session, error) {
	return f.openSession(ctx, o, f.trial(o.Outputs))
}

// openSession compares providers on t.
func (f *File) openSession(ctx context.Context, o session.Options, t *trial) (session.Session, error) {
	kind := f.Meta.Precision
	if err := checkPrecision(kind, o.Provider, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	s, passed, err := choose(o, func(o session.Options) (session.Session, error) {
		s, err := f.start(o)
		if err != nil {
			return nil, err
		}
		if err := f.believe(ctx, s, o, t); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	if err := checkPrecision(kind, s.Provider(), passed); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), s.Close())
	}
	if o.Note != nil && kind == string(precision.Int8) && s.Provider() == session.CPU && saturates() {
		o.Note(fmt.Sprintf("%s: ONNX Runtime's sums in int8 can saturate on this processor, which lacks VNNI; provider go's do not, and graft model check tells what it costs", filepath.Base(f.Path)))
	}
	return s, nil
}

// start starts a session on the provider that is named.
func (f *File) start(o session.Options) (session.Session, error) {
	if !f.Own() {
		s, err := fromFile(f)(o)
		if err == nil || !strings.Contains(err.Error(), "external") {
			return s, err
		}
		// ONNX Runtime reads no shapes out of a file beside the model's: small tensors go into the model.
		return f.withModel(func(m *onnx.Model) (session.Session, error) {
			return fromModel(m, func(*onnx.Model) error { return nil })(o)
		})
	}
	return f.withModel(func(m *onnx.Model) (session.Session, error) {
		if o.Outputs == nil {
			o.Outputs = session.Names(m.Outputs)
		}
		if err := tune.Outputs(m, o.Outputs); err != nil {
			return nil, err
		}
		return fromModel(m, tune.Strides)(o)
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
