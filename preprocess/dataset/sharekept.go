package dataset

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"graft/internal/atomicfile"
	"graft/preprocess/duplicate"
)

// worthKeeping is how long decoding a set's images has to take for their contents to be kept.
var worthKeeping = time.Second

// maxKept caps the images whose contents are kept, 112 bytes each.
const maxKept = 1 << 20

// fileSum is the SHA-256 of an image's file.
type fileSum [sha256.Size]byte

// kept is the contents of a set's images by their files' hashes, in the user's cache: a set without splits is split by what
// its images show, and decoding all of them whenever it is opened costs up to thirty times as much as reading them. A file
// that changed has another hash, and is decoded; where the set lies does not matter but for finding the file.
type kept struct {
	path string
	had  map[fileSum]duplicate.Record
	mu   sync.Mutex
	seen map[fileSum]duplicate.Record
	news bool // what is seen is more than what was had
}

// keptOf finds what is kept of a set of image files; nil for sets of others, and where there is no cache.
func (d *Dataset) keptOf() *kept {
	_, files := d.src.(fileSource)
	base, err := os.UserCacheDir()
	place, err1 := filepath.Abs(d.Path)
	if !files || err != nil || err1 != nil || len(d.Samples) > maxKept {
		return nil
	}
	name := sha256.Sum256([]byte(place))
	k := &kept{path: filepath.Join(base, "graft", "contents", hex.EncodeToString(name[:8])), seen: map[fileSum]duplicate.Record{}}
	k.had = readKept(k.path)
	return k
}

// keptDecoder is raised with every change of what graft itself makes of a file's pixels: orientation, key and print.
const keptDecoder = 3

// keptHead begins the file: another decoder may see other pixels.
var keptHead = fmt.Sprintf("graft-contents-%d %s%s\n", keptDecoder, runtime.Version(), decoders(debug.ReadBuildInfo()))

// decoders are the modules that decode and turn images, with the versions that are built in; tests' programs do not say.
func decoders(info *debug.BuildInfo, ok bool) (words string) {
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "golang.org/x/image" || m.Path == "github.com/disintegration/imaging" {
			words += " " + cmp.Or(m.Replace, m).Path + "@" + cmp.Or(m.Replace, m).Version
		}
	}
	return words
}

// keptRow is the bytes of a row: the file's hash, and its image's key and print.
const keptRow = sha256.Size + len(duplicate.Key{}) + len(duplicate.Print{})

// readKept reads what write wrote; what is damaged, or another program's, is as good as nothing.
func readKept(path string) map[fileSum]duplicate.Record {
	out := map[fileSum]duplicate.Record{}
	f, err := os.Open(path)
	if err != nil {
		return out
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(len(keptHead)+sha256.Size+maxKept*keptRow)))
	body, ours := bytes.CutPrefix(data, []byte(keptHead))
	if err != nil || !ours || len(body) < sha256.Size {
		return out
	}
	sum, rows := fileSum(body[:sha256.Size]), body[sha256.Size:]
	if sha256.Sum256(rows) != sum || len(rows)%keptRow != 0 {
		return out
	}
	for row := range slices.Chunk(rows, keptRow) {
		var r duplicate.Record
		copy(r.Print[:], row[sha256.Size+copy(r.Key[:], row[sha256.Size:]):])
		out[fileSum(row[:sha256.Size])] = r
	}
	return out
}

// write keeps what was seen.
func (k *kept) write() error {
	var rows []byte
	for _, sum := range slices.SortedFunc(maps.Keys(k.seen), func(a, b fileSum) int { return bytes.Compare(a[:], b[:]) }) {
		r := k.seen[sum]
		rows = append(append(append(rows, sum[:]...), r.Key[:]...), r.Print[:]...)
	}
	sum := sha256.Sum256(rows)
	return cmp.Or(os.MkdirAll(filepath.Dir(k.path), 0o755), atomicfile.WriteFile(k.path, append(append([]byte(keptHead), sum[:]...), rows...)))
}

// content is that of sample i, kept or seen.
func (d *Dataset) content(ctx context.Context, k *kept, i int) (duplicate.Content, error) {
	var sum fileSum
	whole := false
	if k != nil {
		if data, err := fileBytes(d.src.(fileSource), i); err == nil { // what is wrong with it decoding says too
			sum, whole = sha256.Sum256(data), true
		}
	}
	if r, ok := k.find(sum); whole && ok {
		c := r.Content()
		if d.groups != nil {
			c.Group = d.groups[i]
		}
		k.note(sum, r, false)
		return c, nil
	}
	im, err := d.src.image(ctx, i)
	if err != nil {
		return duplicate.Content{}, err
	}
	c := d.Content(i, im)
	if whole {
		k.note(sum, c.Record(), true)
	}
	return c, nil
}

func (k *kept) find(sum fileSum) (r duplicate.Record, ok bool) {
	if k != nil {
		r, ok = k.had[sum]
	}
	return r, ok
}

func (k *kept) note(sum fileSum, r duplicate.Record, news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen[sum], k.news = r, k.news || news
}
