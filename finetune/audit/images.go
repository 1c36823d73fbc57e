package audit

import (
	"bytes"
	"context"
	"errors"

	"graft/internal/parallel"
	"graft/preprocess"
	"graft/preprocess/duplicate"
)

// look is what decoding an image told of it, but for its content.
type look struct {
	height, width int32
	constant      bool   // each of its planes is one value
	cut           bool   // its file ends early
	fault         string // why it could not be decoded, "" where it could
}

// look decodes every image, on all cores and a few at a time.
func (a *auditor) look(ctx context.Context) error {
	n := len(a.Data.Samples)
	a.contents, a.looks = make([]duplicate.Content, n), make([]look, n)
	return parallel.For(ctx, n, a.Progress("looking (images)"), func(i int) error {
		im, err := a.Data.Image(ctx, i)
		var bad *preprocess.BadImageError
		if errors.As(err, &bad) {
			a.looks[i] = look{fault: bad.Reason, cut: bad.Cut()}
			return nil
		}
		if err != nil {
			return err
		}
		a.contents[i] = a.Data.Content(i, im)
		a.looks[i] = look{height: int32(im.H), width: int32(im.W), constant: constant(im)}
		return nil
	})
}

func constant(im preprocess.Image) bool {
	plane := im.H * im.W
	for from := 0; from < len(im.Pix); from += plane {
		p := im.Pix[from : from+plane]
		if !bytes.Equal(p[1:], p[:plane-1]) {
			return false
		}
	}
	return true
}

// imageRow is an image that is something of itself.
type imageRow struct {
	Row
	Height int64  `parquet:"height"` // pixels, 0 where it cannot be decoded
	Width  int64  `parquet:"width"`
	Reason string `parquet:"reason,dict"`
}

// findImages writes the images that are constant, tiny, cut short or not decodable.
func (a *auditor) findImages(r *Report) error {
	tiny := func(l look) bool { return l.fault == "" && int(min(l.height, l.width)) < a.Tiny }
	for _, f := range []struct {
		name   string
		count  *int
		is     func(look) bool
		reason string
	}{
		{"constant", &r.Constant, func(l look) bool { return l.constant }, "one value in every pixel"},
		{"tiny", &r.Tiny, tiny, "a side is shorter than tiny_below"},
		{"cut", &r.Cut, func(l look) bool { return l.cut }, ""},
		{"undecodable", &r.Undecodable, func(l look) bool { return l.fault != "" && !l.cut }, ""},
	} {
		err := write(a, r, f.name, f.count, func(yield func(imageRow) bool) {
			for i, l := range a.looks {
				if f.is(l) && !yield(imageRow{a.row(i), int64(l.height), int64(l.width), f.reason + l.fault}) {
					return
				}
			}
			if f.name != "undecodable" {
				return
			}
			for _, b := range a.Data.Bad { // of a CSV or list, where there is no sample
				if !yield(imageRow{Row: Row{Index: -1, ID: b.Where}, Reason: b.Reason}) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
