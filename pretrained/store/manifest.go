package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"graft/internal/atomicfile"
)

const (
	// Format and Version open every manifest. A reader refuses any other.
	Format  = "graft-embeddings"
	Version = 1

	manifestName = "manifest.json"
	metaFolder   = "meta"
	flipSuffix   = ".flip"

	// maxManifest caps the manifest's size: ten thousand shards of 52 files are 60 MB.
	maxManifest = 256 << 20
	// maxDim caps the length of one row of one tap.
	maxDim = 1 << 20
	// maxShardRows caps the rows of one shard, and with them what reading a
	// shard's metadata may allocate.
	maxShardRows = 1 << 20
	// maxSamples caps the rows of a store, so that sizes cannot overflow.
	maxSamples = 1 << 40
)

// Manifest is what manifest.json holds. Everything but Shards is settled when the
// store is begun; nothing in it depends on when or how often a run was broken off.
type Manifest struct {
	Format    string   `json:"format"`
	Version   int      `json:"version"`
	Backbone  Backbone `json:"backbone"`
	Dataset   Dataset  `json:"dataset"`
	Taps      []Tap    `json:"taps"`
	Flip      bool     `json:"flip"`
	DType     DType    `json:"dtype"`
	ShardRows int      `json:"shard_rows"`
	// Samples is the number of samples selected; a finished store has that many
	// rows and bad rows together.
	Samples int     `json:"samples"`
	Shards  []Shard `json:"shards"`
}

// Backbone says what computed the features.
type Backbone struct {
	Name          string `json:"name"`
	SHA256        string `json:"sha256"` // of the ONNX file
	Source        string `json:"source"` // the checkpoint it was exported from, or random:SEED
	Preprocessing string `json:"preprocessing"`
	Precision     string `json:"precision"`
	Provider      string `json:"provider"` // the one that really ran
	Runtime       string `json:"onnxruntime_version"`
}

// Dataset says what the features are of.
type Dataset struct {
	Name        string   `json:"name"`
	Fingerprint string   `json:"fingerprint"` // of pixels, labels and their order
	Classes     []string `json:"classes"`
	Splits      []string `json:"splits"` // those selected
	Limit       int      `json:"limit"`  // samples per split, 0 for all
}

// Tap is one kind of feature: a folder of shards.
type Tap struct {
	Name string `json:"name"`
	Dim  int    `json:"dim"`
}

// Shard is one range of the selected samples, finished.
type Shard struct {
	First int `json:"first"` // position among the selected samples
	Count int `json:"count"` // samples in the range
	Rows  int `json:"rows"`  // rows written: Count less the bad ones
	// Files maps each file of the shard, by slash-separated path below the
	// store, to its SHA-256.
	Files map[string]string `json:"files"`
	Bad   []BadRow          `json:"bad,omitempty"`
}

// BadRow is a sample that was left out.
type BadRow struct {
	Index  int    `json:"index"` // position in the dataset
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Rows counts the rows of the finished shards.
func (m *Manifest) Rows() int {
	n := 0
	for _, s := range m.Shards {
		n += s.Rows
	}
	return n
}

// Complete tells whether every shard is there.
func (m *Manifest) Complete() bool { return len(m.Shards) == m.shardCount() }

// shardCount is the number of shards of the finished store.
func (m *Manifest) shardCount() int { return (m.Samples + m.ShardRows - 1) / m.ShardRows }

// shardName is the base name of a shard's files, without extension.
func (m *Manifest) shardName(first int) string { return fmt.Sprintf("%05d", first/m.ShardRows) }

// folders lists the folders of feature files, flipped ones after their tap.
func (m *Manifest) folders() []Tap {
	var out []Tap
	for _, t := range m.Taps {
		out = append(out, t)
		if m.Flip {
			out = append(out, Tap{t.Name + flipSuffix, t.Dim})
		}
	}
	return out
}

// npyPath and metaPath are slash-separated paths below the store.
func (m *Manifest) npyPath(folder string, first int) string {
	return folder + "/" + m.shardName(first) + ".npy"
}

func (m *Manifest) metaPath(first int) string {
	return metaFolder + "/" + m.shardName(first) + ".parquet"
}

// readManifest reads and checks dir's manifest.
func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is no embedding store: it has no %s: %w", dir, manifestName, err)
	}
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

// parseManifest decodes a manifest and checks all that needs no other file.
func parseManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("larger than the %d bytes that a manifest may have", maxManifest)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("malformed manifest: %w", err)
	}
	if m.Format != Format || m.Version != Version {
		return nil, fmt.Errorf("format %q version %d; this graft reads %q version %d", m.Format, m.Version, Format, Version)
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
	case m.Samples < 0 || m.Samples > maxSamples:
		return fmt.Errorf("samples is %d, wanted 0 to %d", m.Samples, int64(maxSamples))
	case len(m.Taps) == 0:
		return errors.New("no taps")
	}
	seen := map[string]bool{metaFolder: true}
	for _, t := range m.Taps {
		if !tapName.MatchString(t.Name) || seen[t.Name] {
			return fmt.Errorf("tap %q: names are letters, digits, _ and -, each once, and not %q", t.Name, metaFolder)
		}
		if t.Dim < 1 || t.Dim > maxDim {
			return fmt.Errorf("tap %q has %d values a row, wanted 1 to %d", t.Name, t.Dim, maxDim)
		}
		seen[t.Name] = true
	}
	next := 0
	for i := range m.Shards {
		if m.Shards[i].First < next {
			return fmt.Errorf("shard at %d: shards must come in order, each once", m.Shards[i].First)
		}
		if err := m.checkShard(&m.Shards[i]); err != nil {
			return fmt.Errorf("shard at %d: %w", m.Shards[i].First, err)
		}
		next = m.Shards[i].First + m.ShardRows
	}
	return nil
}

// checkShard checks one shard's range and that its files are the ones a shard has.
func (m *Manifest) checkShard(s *Shard) error {
	if s.First%m.ShardRows != 0 || s.First >= m.Samples || s.Count != min(m.ShardRows, m.Samples-s.First) {
		return fmt.Errorf("covers %d samples; wanted ranges of %d within %d", s.Count, m.ShardRows, m.Samples)
	}
	if s.Rows < 0 || s.Rows+len(s.Bad) != s.Count {
		return fmt.Errorf("%d rows and %d bad ones do not make %d samples", s.Rows, len(s.Bad), s.Count)
	}
	want := []string{m.metaPath(s.First)}
	for _, t := range m.folders() {
		want = append(want, m.npyPath(t.Name, s.First))
	}
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

// write replaces dir's manifest. Equal manifests give equal bytes.
func (m *Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, manifestName), append(data, '\n'))
}
