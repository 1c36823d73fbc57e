// Package checkpoint reads files of pretrained weights, PyTorch's (.pth, .pt,
// .bin, the zip format of torch 1.6 and later and the plain one before it) and
// safetensors, and writes safetensors.
//
// Files come from strangers. Nothing in a pickle is ever executed: it is
// screened, then interpreted as data, and a name outside a short list of
// allowed ones is an error that tells the name. Every size a file claims is
// checked against the file and against the limits below before memory is
// taken.
//
// Opening a file reads its table of contents only; a tensor's bytes are read
// when Float32 asks for them.
//
// # Which tensors of a .pth file are taken
//
// A dictionary with tensors of its own is a state dict; it may lie in three others.
// Of several the one under state_dict_ema is taken, else under model_ema (timm's
// order), else under a key with the word ema, swa, avg, averaged or teacher (all
// averages, which trainings evaluate), else under student, state_dict, model,
// model_state_dict or module; the same words count as modules at the start of the
// names. Key tells which it was and Others which else there are, Open takes one of
// them by its key, and what lies under no such word has to be named so. Everything else,
// such as epochs, arguments and optimiser states, is left out.
//
// A TorchScript archive (torch.jit.save, as OpenAI published CLIP) is read for
// its modules' parameters and buffers, named as in a state dict; its code is
// not looked at.
//
// # Names
//
// The modules that trainings put around a network, "module." (DataParallel),
// "_orig_mod." (torch.compile) and "backbone.", are cut off the names, and so are "encoder."
// and "vit." where all names have them; what lies beside them, such as the
// projection head of DINO's training, is left out.
// Notes tells of it.
package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"graft/internal/filehash"
	"graft/internal/regular"
	"graft/internal/sniff"
)

// Limits on what a file may claim. The largest vision transformers in public
// use (ViT-22B aside) stay far below each.
const (
	maxFileSize    = 16 << 30 // bytes of a weights file
	maxRank        = 16       // dimensions of a tensor
	maxElements    = 1 << 30  // elements of a tensor: Float32 takes four bytes each
	maxNameLength  = 1024     // bytes of a tensor's name
	maxNameInError = 200      // bytes of foreign text quoted in an error
)

// Info describes a tensor without reading it.
type Info struct {
	Name  string
	DType string // in the words of safetensors: F64, F32, F16, BF16, I64, …
	Shape []int  // empty for a scalar
}

// File is an open weights file. Its methods may be called concurrently, Close
// aside.
type File struct {
	*contents
	path  string
	names []string
	parts *parts
}

// parts are the files that the tensors lie in: one, or the shards of several.
type parts struct {
	files  []*os.File
	sizes  []int64 // bytes
	mu     sync.Mutex
	digest string // "" until it is asked for
}

// Open reads the table of contents of a torch file or a safetensors file,
// told apart by content, for the state dict that key leads to: keys and modules with
// dots between; "" is the preferred one, and Whole the file as it is. Weights in shards
// are named by their index (model.safetensors.index.json) or their folder, a folder with
// one file of weights too. It fails on files
// of other kinds, on pickles that ask for anything but tensors, and on anything in the
// file that contradicts itself.
func Open(path, key string) (*File, error) {
	p := &parts{}
	c, err := p.read(path, key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("weights file %s: %w", path, err), p.close())
	}
	slices.Sort(c.choice.ignored)
	c.choice.ignored = slices.Compact(c.choice.ignored)
	return &File{contents: c, path: path, parts: p, names: slices.Sorted(maps.Keys(c.tensors))}, nil
}

// read opens what path names.
func (p *parts) read(path, key string) (*contents, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat.IsDir() {
		if path, err = weightsIn(path); err != nil {
			return nil, err
		}
	}
	if strings.HasSuffix(path, indexSuffix) {
		return p.readShards(path, key)
	}
	c, err := p.readFile(path, key)
	if err == nil && shardOf(path) > 1 {
		return nil, shardError(path)
	}
	return c, err
}

// readFile opens one file, which stays open.
func (p *parts) readFile(path, key string) (*contents, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if stat.Size() > maxFileSize {
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", stat.Size(), int64(maxFileSize))
	}
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	p.files, p.sizes = append(p.files, f), append(p.sizes, stat.Size())
	return readContents(f, stat.Size(), key)
}

func (p *parts) close() error {
	var err error
	for _, f := range p.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// contents is what a reader of one format found.
type contents struct {
	tensors  map[string]*tensor
	choice   *choice
	metadata map[string]string
}

// readContents is all of Open that depends on foreign bytes, and what the fuzz
// targets call. The first bytes tell the format.
func readContents(r io.ReaderAt, size int64, key string) (*contents, error) {
	head := make([]byte, min(size, sniff.Length))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case size == 0:
		return nil, errors.New("the file is empty")
	case sniff.Other(head) != "":
		return nil, fmt.Errorf("not weights but %s", sniff.Other(head))
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return readTorch(r, size, key)
	case bytes.HasPrefix(head, []byte(legacyMagic)):
		return readLegacy(r, size, key)
	case len(head) > 8 && head[8] == '{':
		return readSafetensors(r, size, key)
	case bytes.HasPrefix(head, []byte("\x80")), len(head) > 262 && string(head[257:262]) == "ustar":
		return nil, errors.New("a bare pickle or tar file, none that torch.save writes; " +
			"save the weights with torch.save(model.state_dict(), F)")
	}
	return nil, sniffError(head, size)
}

func sniffError(head []byte, size int64) error {
	if size < 8 {
		return &headerFault{Kind: headerTooSmall, Detail: fmt.Sprintf("%d bytes, a safetensors file has at least 8", size)}
	}
	switch n := headerLength(head); {
	case n <= maxHeader && int64(n)+8 <= size && n > 0:
		return &headerFault{Kind: invalidHeaderStart, Detail: fmt.Sprintf("the header starts with %q, want {", head[8:9])}
	}
	return fmt.Errorf("neither a torch file nor safetensors: it starts with % x; want what torch.save or safetensors' save_file wrote, unpacked",
		head[:min(len(head), 16)])
}

// Path is the name the file was opened by.
func (f *File) Path() string { return f.path }

// Names lists the tensors, sorted.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Key is what leads to the tensors in the file: dictionaries' keys and modules'
// names that were cut off, dots between; "" where there are none.
func (f *File) Key() string { return f.choice.key }

// Others are the keys of state dicts that Open would take instead.
func (f *File) Others() []string { return slices.Clone(f.choice.others) }

// Notes tells for people what was taken and left out, a sentence each.
func (f *File) Notes() []string {
	var out []string
	if c := f.choice; c.key != "" {
		out = append(out, "tensors taken from "+quote(c.key))
		if len(c.others) > 0 {
			out[0] += fmt.Sprintf(", not from %s; --key takes those", listShort(c.others))
		}
	}
	if len(f.choice.ignored) > 0 {
		out = append(out, "left out of the file: "+listShort(f.choice.ignored))
	}
	return out
}

// Metadata holds the file's own free text (safetensors only), a copy.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Info describes one tensor.
func (f *File) Info(name string) (Info, bool) {
	t, ok := f.tensors[name]
	if !ok {
		return Info{}, false
	}
	return Info{Name: name, DType: t.dtype.name, Shape: slices.Clone(t.shape)}, true
}

// Float32 reads a tensor of type F64, F32, F16 or BF16 as contiguous,
// row-major float32. It fails on a missing tensor and on other types.
func (f *File) Float32(name string) ([]float32, error) {
	t, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("weights file %s: no tensor %q", f.path, name)
	}
	data, err := t.float32s()
	if err != nil {
		return nil, fmt.Errorf("weights file %s: tensor %s: %w", f.path, name, err)
	}
	return data, nil
}

// SHA256 is the digest of the whole file, 64 hex digits, computed once; of shards, in the
// order of their names, that of
//
//	sha256sum 1.safetensors 2.safetensors | cut -c1-64 | sha256sum
func (f *File) SHA256(ctx context.Context) (string, error) {
	p := f.parts
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.digest != "" {
		return p.digest, nil
	}
	var lines strings.Builder
	for i, part := range p.files {
		sum, err := filehash.Reader(filehash.WithContext(ctx, io.NewSectionReader(part, 0, p.sizes[i])))
		if err != nil {
			return "", err
		}
		if len(p.files) == 1 {
			p.digest = sum
			return sum, nil
		}
		lines.WriteString(sum + "\n")
	}
	sum, err := filehash.Reader(strings.NewReader(lines.String()))
	p.digest = sum
	return sum, err
}

// Close releases the files, of views too; tensors already read stay valid.
func (f *File) Close() error { return f.parts.close() }

// quote makes foreign text safe and short enough for an error.
func quote(s string) string {
	if len(s) > maxNameInError {
		s = s[:maxNameInError] + "…"
	}
	return fmt.Sprintf("%q", s)
}
