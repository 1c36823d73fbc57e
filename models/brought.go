package models

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"

	"graft/internal/atomicfile"
)

// Mini is the name of the network that graft brings: a vision transformer of 48×48 pixels, trained in Go on drawn things
// by scripts/make_mini, in float16.
const Mini = "graft_mini"

//go:embed graft_mini.safetensors
var brought embed.FS

// Brought tells an entry whose file is part of the program: it has no address, and Download writes it.
func (e Entry) Brought() bool { return e.URL == "" }

// unpack writes and verifies the file of an entry that is part of the program.
func (p *pull) unpack() (Result, error) {
	data, err := brought.ReadFile(p.entry.File)
	if err != nil {
		return Result{}, err
	}
	digest := sha256.Sum256(data)
	sum := hex.EncodeToString(digest[:])
	claims, err := p.claims("")
	if err != nil {
		return Result{}, err
	}
	if c := contradiction(sum, claims); c != nil {
		return Result{}, fmt.Errorf("models: %s: the file in this program has the SHA-256 %s, %s says %s", p.entry.Name, sum, c.who, c.digest)
	}
	if err := p.record(sum); err != nil {
		return Result{}, err
	}
	if err := atomicfile.WriteFile(p.path, data); err != nil {
		return Result{}, err
	}
	if p.Progress != nil {
		p.Progress(int64(len(data)), int64(len(data)))
	}
	res := p.result(sum, claims)
	res.Fetched = true
	return res, nil
}
