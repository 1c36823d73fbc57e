package dataset

import (
	"errors"
	"fmt"
	"os"
)

// memoryCap is how much of a CSV's decoded pixels stays in memory, three times
// FER2013; what is beyond goes to a temporary file.
const memoryCap = 256 << 20

// pageRows is the number of rows allocated at a time. Pages instead of one
// growing slice: growing copies, and holds old and new at once.
const pageRows = 256

// pixelStore holds rows of equal size. Appending is for one goroutine, reading
// for many afterwards.
type pixelStore struct {
	size   int // bytes of a row
	most   int // rows kept in memory
	pages  [][]byte
	rows   int
	file   *os.File     // rows from most on; nil until needed
	remove func() error // of file
}

func newPixelStore(size, capBytes int) *pixelStore {
	return &pixelStore{size: size, most: capBytes / size}
}

// append adds the rows in px, a multiple of size.
func (s *pixelStore) append(px []byte) error {
	for len(px) > 0 && s.rows < s.most {
		at := s.rows % pageRows
		if at == 0 {
			s.pages = append(s.pages, make([]byte, min(pageRows, s.most-s.rows)*s.size))
		}
		n := copy(s.pages[len(s.pages)-1][at*s.size:], px) / s.size
		px = px[n*s.size:]
		s.rows += n
	}
	if len(px) == 0 {
		return nil
	}
	if err := s.spill(px); err != nil {
		return fmt.Errorf("keep pixels on disk: %w (set TMPDIR to a folder with room)", err)
	}
	s.rows += len(px) / s.size
	return nil
}

func (s *pixelStore) spill(px []byte) error {
	if s.file == nil {
		var err error
		if s.file, s.remove, err = tempFile(); err != nil {
			return err
		}
	}
	_, err := s.file.Write(px)
	return err
}

// tempFile is unlinked at once where that can be: nothing is left behind, however the
// program ends. remove closes it.
func tempFile() (f *os.File, remove func() error, err error) {
	if f, err = os.CreateTemp("", "graft-pixels-*"); err != nil {
		return nil, nil, err
	}
	linked := os.Remove(f.Name()) != nil
	return f, func() error {
		err := f.Close()
		if linked {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}, nil
}

// read fills dst with row i.
func (s *pixelStore) read(dst []byte, i int) error {
	if i < s.most {
		copy(dst[:s.size], s.pages[i/pageRows][i%pageRows*s.size:])
		return nil
	}
	_, err := s.file.ReadAt(dst[:s.size], int64(i-s.most)*int64(s.size))
	return err
}

func (s *pixelStore) Close() error {
	s.pages = nil
	if s.file == nil {
		return nil
	}
	return s.remove()
}
