package checkpoint

import (
	"errors"
	"fmt"
	"io"

	"github.com/nlpodyssey/gopickle/types"
)

// legacyMagic is torch.serialization.MAGIC_NUMBER as pickle protocol 2 writes
// it: the start of files from before torch 1.6.
const legacyMagic = "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

// The pickles of a legacy file, in order.
const (
	legacyMagicNumber = iota
	legacyProtocol    // 1001
	legacySystem      // byte order and type sizes
	legacyObject      // what torch.save was given
	legacyKeys        // the storages' keys, in the order of their data
	legacyPickles
)

// maxLegacyStorages bounds the table of storages.
const maxLegacyStorages = 1 << 16

// readLegacy reads the format that torch.save wrote before version 1.6: five
// pickles, then for each storage its number of elements as int64 and its
// elements.
func readLegacy(r io.ReaderAt, size int64, key string) (*contents, error) {
	head := make([]byte, min(size, maxPickle))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), head); err != nil {
		return nil, err
	}
	table := &legacyStorages{elements: map[string]*storageRef{}}
	var values [legacyPickles]any
	at := 0
	for i := range values {
		n, err := screenPickle(head[at:])
		if err != nil {
			return nil, fmt.Errorf("pickle %d of %d: %w", i+1, legacyPickles, err)
		}
		if values[i], err = loadPickle(head[at:at+n], table.persistent); err != nil {
			return nil, fmt.Errorf("pickle %d of %d: %w", i+1, legacyPickles, err)
		}
		at += n
	}
	if err := checkLegacyHeader(values[legacyProtocol], values[legacySystem]); err != nil {
		return nil, err
	}
	if err := table.locate(values[legacyKeys], r, int64(at), size); err != nil {
		return nil, err
	}
	return resolve(values[legacyObject], key, table.lookup)
}

func checkLegacyHeader(protocol, system any) error {
	if protocol != 1001 {
		if n, ok := protocol.(int); ok {
			return fmt.Errorf("the file's protocol is %d, want 1001", n)
		}
		return fmt.Errorf("the file's protocol is %s, want 1001", kindOf(protocol))
	}
	d, ok := system.(*types.Dict)
	if !ok {
		return fmt.Errorf("the system's description is %s, want a dictionary", kindOf(system))
	}
	if little, _ := d.Get("little_endian"); little != true {
		return errors.New("its byte order is big, want little; save it again on a little-endian machine")
	}
	return nil
}

// legacyStorages collects the storages that the pickle names and then finds
// where each lies.
type legacyStorages struct {
	elements map[string]*storageRef
	sections map[string]*fileSection
}

// persistent is persistentStorage, which it remembers: the data does not tell
// its element type. A sixth item that is not None describes a view of another
// storage, as torch wrote before version 0.4.
func (l *legacyStorages) persistent(id any) (any, error) {
	if t, ok := id.(*types.Tuple); ok && t.Len() > 5 && t.Get(5) != nil {
		return nil, errors.New("a storage is a view of another one (torch before 0.4); " +
			"save it again with a newer torch: torch.save(torch.load(F, map_location='cpu'), NEW)")
	}
	value, err := persistentStorage(id)
	if err != nil {
		return nil, err
	}
	ref := value.(*storageRef)
	if old := l.elements[ref.key]; old != nil && (old.dtype != ref.dtype || old.elements != ref.elements) {
		return nil, fmt.Errorf("the storage %s is described in two ways", quote(ref.key))
	}
	l.elements[ref.key] = ref
	return ref, nil
}

// locate walks the data from offset at on, and wants it to fill the file.
func (l *legacyStorages) locate(keys any, r io.ReaderAt, at, size int64) error {
	list, ok := keys.(*types.List)
	if !ok || list.Len() > maxLegacyStorages {
		return fmt.Errorf("the keys of the storages are %s, want a list of at most %d", kindOf(keys), maxLegacyStorages)
	}
	l.sections = make(map[string]*fileSection, list.Len())
	for _, k := range *list {
		key, ok := k.(string)
		ref := l.elements[key]
		if !ok {
			return fmt.Errorf("the key of a storage is %s, want text", kindOf(k))
		}
		if ref == nil || l.sections[key] != nil {
			return fmt.Errorf("the key %s of a storage is unknown or stands twice", quote(key))
		}
		var count [8]byte
		if _, err := io.ReadFull(io.NewSectionReader(r, at, 8), count[:]); err != nil {
			return fmt.Errorf("storage %s: %w (is it whole?)", quote(key), err)
		}
		at += 8
		n := int64(headerLength(count[:]))
		if n != int64(ref.elements) || n > (size-at)/int64(ref.dtype.size) {
			return fmt.Errorf("storage %s has %d elements, want %d, in %d bytes (is it whole?)", quote(key), n, ref.elements, size-at)
		}
		length := n * int64(ref.dtype.size)
		l.sections[key] = &fileSection{r: r, base: at, length: length}
		at += length
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last storage", size-at)
	}
	return nil
}

func (l *legacyStorages) lookup(key string) (storage, error) {
	s, ok := l.sections[key]
	if !ok {
		return nil, fmt.Errorf("the file has no data for the storage %s", quote(key))
	}
	return s, nil
}
