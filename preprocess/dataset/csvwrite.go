package dataset

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"graft/internal/atomicfile"
	"graft/preprocess"
)

// writeCSV writes FER2013's form: emotion,pixels,Usage.
func (d *Dataset) writeCSV(ctx context.Context, out string, progress func(done, total int64)) error {
	if !d.isFER() {
		return fmt.Errorf("%s: a CSV holds FER2013's classes and splits, and this set has classes %s in splits %s; convert it to a folder instead",
			d.Path, shorten(d.Classes), strings.Join(d.Splits, ", "))
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; a name ending in .csv is for a file", out)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := atomicfile.Create(out)
	if err != nil {
		return err
	}
	defer f.Abort()
	var to io.Writer = f
	end := func() error { return nil }
	if strings.HasSuffix(strings.ToLower(out), ".gz") {
		z := gzip.NewWriter(f)
		to, end = z, z.Close
	}
	if err := d.writeRows(ctx, to, progress); err != nil {
		return err
	}
	if err := end(); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	return f.Commit()
}

// shorten lists at most ten names.
func shorten(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func (d *Dataset) writeRows(ctx context.Context, to io.Writer, progress func(done, total int64)) error {
	w := bufio.NewWriterSize(to, blockSize)
	line := []byte("emotion,pixels,Usage\n")
	for i, s := range d.Samples {
		if _, err := w.Write(line); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		im, err := d.Image(ctx, i)
		if err != nil {
			return err
		}
		if im.C != 1 || im.H != ferSide || im.W != ferSide {
			return fmt.Errorf("%s: %s has shape [%d,%d,%d], a CSV wants [1,%d,%d]", d.Path, s.ID, im.C, im.H, im.W, ferSide, ferSide)
		}
		line = appendRow(line[:0], s, im)
		if progress != nil {
			progress(int64(i+1), int64(len(d.Samples)))
		}
	}
	if _, err := w.Write(line); err != nil {
		return err
	}
	return w.Flush()
}

func appendRow(line []byte, s Sample, im preprocess.Image) []byte {
	line = append(strconv.AppendInt(line, int64(s.Label), 10), ',')
	for k, v := range im.Pix {
		if k > 0 {
			line = append(line, ' ')
		}
		line = strconv.AppendUint(line, uint64(v), 10)
	}
	line = append(append(line, ','), ferUsages[ferSplit(s.Split)]...)
	return append(line, '\n')
}
