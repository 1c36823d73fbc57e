package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"graft/internal/plural"
	"graft/internal/regular"
	"graft/internal/schema"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

const (
	// Format and Version open every manifest. A reader refuses any other, but for
	// lineVersion, in which preprocessing was recorded as a line for people.
	Format      = "graft-embeddings"
	Version     = 2
	lineVersion = 1

	// MaxBatch caps a manifest's Batch, which decides what extraction allocates.
	MaxBatch = 1 << 14

	manifestName = "manifest.json"
	planPath     = recordFolder + "/plan.json"
	metaFolder   = "meta"
	recordFolder = "shards"
	flipSuffix   = ".flip"

	// maxManifest caps the manifest's size: ten thousand shards of 52 files are 60 MB.
	maxManifest = 256 << 20
	// maxDim caps the values of one row of one tap: tokens of the largest networks have millions.
	maxDim = 1 << 26
	// maxShardRows caps the rows of one shard, and with them what reading a
	// shard's metadata may allocate.
	maxShardRows = 1 << 20
	// maxSamples caps the rows of a store, so that sizes cannot overflow.
	maxSamples = 1 << 40
)

// Manifest is what manifest.json holds. Everything but Shards, Errors and Groups is settled
// when the store is begun, by whichever process comes first; these are filled in
// when every shard is there. Nothing in it depends on how many processes made the
// store, or on when or how often one was broken off.
type Manifest struct {
	Format   string   `json:"format"`
	Version  int      `json:"version"`
	Backbone Backbone `json:"backbone"`
	Dataset  Dataset  `json:"dataset"`
	Taps     []Tap    `json:"taps"`
	Flip     bool     `json:"flip"`
	// Views is nil where images were not changed but for being mirrored.
	Views *Views `json:"views,omitempty"`
	DType DType  `json:"dtype"`
	// Batch is the number of images per inference, which can change the last
	// bits of the features; 0 in stores of before it was recorded.
	Batch     int `json:"batch,omitempty"`
	ShardRows int `json:"shard_rows"`
	// Samples is the number of samples selected; a finished store has that many
	// rows and bad rows together.
	Samples int `json:"samples"`
	// Shards is empty until the store is finished.
	Shards []Shard `json:"shards"`
	// Errors is the SHA-256 of meta/errors.parquet, "" where nothing was left out.
	Errors string `json:"errors,omitempty"`
	// Groups is the SHA-256 of groups.parquet, "" where the images' contents are not
	// known, as in stores of before they were kept.
	Groups string `json:"groups,omitempty"`
}

// Backbone says what computed the features.
type Backbone struct {
	Name          string          `json:"name"`
	SHA256        string          `json:"sha256"`               // of the ONNX file
	Source        string          `json:"source"`               // the checkpoint it was exported from, or random:SEED
	Parameters    int64           `json:"parameters,omitempty"` // learned numbers; 0 in stores of before they were recorded
	Preprocessing preprocess.Spec `json:"preprocessing"`
	Precision     string          `json:"precision"`
	Provider      string          `json:"provider"`            // the one that really ran
	Runtime       string          `json:"onnxruntime_version"` // or that of graft's engine, of provider go
}

func (b Backbone) engine() string { return session.Provider(b.Provider).Engine() }

// Dataset says what the features are of.
type Dataset struct {
	Name        string   `json:"name"`
	Fingerprint string   `json:"fingerprint"` // of pixels, labels and their order
	Classes     []string `json:"classes"`
	Splits      []string `json:"splits"` // those selected
	Limit       int      `json:"limit"`  // samples per split, 0 for all
	// LeftOut are the dataset's bad entries that --skip-bad left out before any image was
	// decoded; those found later stand in meta/errors.parquet. The reason stands with each.
	LeftOut []dataset.Bad `json:"left_out,omitempty"`
	GroupBy string        `json:"group_by,omitempty"` // what names the user's own groups, see dataset.Ref
	// From is where the images lay, so that they can be shown; nil in stores of before it was
	// recorded. Another place does not make another store.
	From *dataset.Ref `json:"from,omitempty"`
}

// rows counts the rows of the finished shards.
func (m *Manifest) rows() int {
	n := 0
	for _, s := range m.Shards {
		n += s.Rows
	}
	return n
}

// Complete tells whether every shard is there.
func (m *Manifest) Complete() bool { return len(m.Shards) == m.shardCount() }

// begun is the manifest as it was before the first shard.
func (m *Manifest) begun() *Manifest {
	c := *m
	c.Shards, c.Errors, c.Groups = []Shard{}, "", ""
	return &c
}

// listed is a shard, by number, as a finished manifest has it, or nil.
func (m *Manifest) listed(shard int) *Shard {
	at, found := slices.BinarySearchFunc(m.Shards, shard*m.ShardRows, func(s Shard, first int) int { return s.First - first })
	if !found {
		return nil
	}
	return &m.Shards[at]
}

// span is the first sample of a shard and the number of its samples.
func (m *Manifest) span(shard int) (first, count int) {
	first = shard * m.ShardRows
	return first, min(m.ShardRows, m.Samples-first)
}

// Spans are the first sample and the number of samples of each of a part's shards.
func (m *Manifest) Spans(p Part) [][2]int {
	var out [][2]int
	for k := range m.shardCount() {
		if p.has(k) {
			first, count := m.span(k)
			out = append(out, [2]int{first, count})
		}
	}
	return out
}

// shardCount is the number of shards of the finished store.
func (m *Manifest) shardCount() int { return (m.Samples + m.ShardRows - 1) / m.ShardRows }

// shardName is the base name of a shard's files, without extension.
func (m *Manifest) shardName(first int) string { return fmt.Sprintf("%05d", first/m.ShardRows) }

// shardFiles are the files of a shard, as paths like those below.
func (m *Manifest) shardFiles(first int) []string {
	list := []string{m.metaPath(first)}
	for _, t := range m.folders() {
		list = append(list, m.npyPath(t.Name, first))
	}
	return list
}

// npyPath and metaPath are slash-separated paths below the store.
func (m *Manifest) npyPath(folder string, first int) string {
	return folder + "/" + m.shardName(first) + ".npy"
}

func (m *Manifest) metaPath(first int) string {
	return metaFolder + "/" + m.shardName(first) + ".parquet"
}

// Begun returns the manifest of the store in dir, or nil where there is none: what
// a run that goes on with it has to keep to, such as Batch.
func Begun(dir string) (*Manifest, error) {
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return m, err
}

// readManifest reads and checks dir's manifest. Where that is gone or damaged, it is as the store was begun with, which stands
// beside the shards' records too: whoever finishes the store completes it from those.
func readManifest(dir string) (*Manifest, error) {
	m, err := readManifestFile(filepath.Join(dir, manifestName))
	if err == nil || errors.Is(err, errVersion) {
		return m, err
	}
	if begun, err := readManifestFile(filepath.Join(dir, filepath.FromSlash(planPath))); err == nil {
		return begun.begun(), nil
	}
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s is no embedding store: %w", dir, err)
	}
	return nil, err
}

func readManifestFile(path string) (*Manifest, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// errVersion is wrapped where a manifest is whole, and another program's.
var errVersion = errors.New("another format")

// parseManifest decodes a manifest and checks all that needs no other file.
func parseManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("larger than the %d bytes that a manifest may have", maxManifest)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("malformed manifest: %w", err)
	}
	if m.Format != Format || m.Version != Version && m.Version != lineVersion {
		return nil, fmt.Errorf("%w: format %q version %d; this graft reads %q version %d", errVersion, m.Format, m.Version, Format, Version)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

// tapName keeps tap folders inside the store and apart from its other files.
var tapName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$`)

// check refuses a manifest whose parts do not fit together.
func (m *Manifest) check() error {
	switch {
	case !m.DType.valid():
		return fmt.Errorf("dtype %q; known are %s and %s", m.DType, Float32, Float16)
	case m.ShardRows < 1 || m.ShardRows > maxShardRows:
		return fmt.Errorf("shard_rows is %d, wanted 1 to %d", m.ShardRows, maxShardRows)
	case m.Batch < 0 || m.Batch > MaxBatch:
		return fmt.Errorf("batch is %d, wanted 1 to %d, or 0 where it was not recorded", m.Batch, MaxBatch)
	case m.Samples < 0 || m.Samples > maxSamples:
		return fmt.Errorf("samples is %d, wanted 0 to %d", m.Samples, int64(maxSamples))
	case len(m.Taps) == 0:
		return errors.New("no taps")
	}
	if err := errors.Join(m.checkTaps(), m.checkViews()); err != nil {
		return err
	}
	next, left := 0, 0
	for i := range m.Shards {
		if m.Shards[i].First < next {
			return fmt.Errorf("shard at %d: shards must come in order, each once", m.Shards[i].First)
		}
		if err := m.checkShard(&m.Shards[i]); err != nil {
			return fmt.Errorf("shard at %d: %w", m.Shards[i].First, err)
		}
		next = m.Shards[i].First + m.ShardRows
		left += m.Shards[i].Count - m.Shards[i].Rows
	}
	if m.Groups != "" && len(m.Groups) != 64 {
		return fmt.Errorf("the SHA-256 of %s is %q", groupsPath, m.Groups)
	}
	if (left > 0) != (m.Errors != "") || m.Errors != "" && len(m.Errors) != 64 {
		return fmt.Errorf("%d samples were left out, and the SHA-256 of %s is %q", left, errorsPath, m.Errors)
	}
	return nil
}

// checkShard checks one shard's range and that its files are the ones a shard has.
func (m *Manifest) checkShard(s *Shard) error {
	if s.First%m.ShardRows != 0 || s.First >= m.Samples || s.Count != min(m.ShardRows, m.Samples-s.First) {
		return fmt.Errorf("covers %d samples; wanted ranges of %d within %d", s.Count, m.ShardRows, m.Samples)
	}
	if s.Rows < 0 || s.Rows > s.Count {
		return fmt.Errorf("%s of %s", plural.Of(s.Rows, "row"), plural.Of(s.Count, "sample"))
	}
	want := m.shardFiles(s.First)
	for _, p := range want {
		if len(s.Files[p]) != 64 {
			return fmt.Errorf("no SHA-256 of %s", p)
		}
	}
	if len(s.Files) != len(want) {
		return fmt.Errorf("lists %d files, wanted %d", len(s.Files), len(want))
	}
	return nil
}

// encode gives equal manifests equal bytes. A store that was begun with a line is
// ended with it: the plan in its records is the hash of what it was begun with.
func (m *Manifest) encode() ([]byte, error) {
	if m.Version != lineVersion {
		return schema.Marshal(fmt.Sprintf("%s-%d", Format, m.Version), m, " ")
	}
	data, err := json.MarshalIndent(m, "", " ")
	spec, err1 := json.MarshalIndent(m.Backbone.Preprocessing, "  ", " ")
	line, err2 := json.Marshal(m.Backbone.Preprocessing.String())
	return append(bytes.Replace(data, spec, line, 1), '\n'), errors.Join(err, err1, err2)
}
