package throughput

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"graft/preprocess/dataset"
	"graft/preprocess/synthetic"
)

// side is that of the random faces: FER2013's.
const side = 48

// Photographs are of ImageNet's usual size, and a quality that gives its usual
// length too, 40 to 100 kB.
const (
	photoW, photoH = 500, 375
	photoQuality   = 92
	// distinctPhotos are drawn; beyond that they come again as further files.
	distinctPhotos = 24
)

// drawFaces writes seeded random faces as a FER2013 file and opens that, so
// that the measured pipeline begins with a real reader.
func (r *rig) drawFaces(ctx context.Context) (*dataset.Dataset, error) {
	path := filepath.Join(r.Dir, "random.csv")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	fmt.Fprint(w, "emotion,pixels,Usage\n")
	for i := range r.Images {
		fmt.Fprintf(w, "%d,", i%7)
		line := make([]byte, 0, 4*side*side)
		for p := range side * side {
			if p > 0 {
				line = append(line, ' ')
			}
			line = strconv.AppendUint(line, uint64(rng.Uint32N(256)), 10)
		}
		w.Write(line)
		fmt.Fprint(w, ",Training\n")
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return dataset.Open(ctx, dataset.Ref{Path: path}, nil)
}

// drawPhotos writes seeded photographs into a folder and opens that.
func (r *rig) drawPhotos(ctx context.Context) (*dataset.Dataset, error) {
	folder := filepath.Join(r.Dir, "photos")
	class := filepath.Join(folder, dataset.Train, "photo")
	if err := os.MkdirAll(class, 0o755); err != nil {
		return nil, err
	}
	var files [][]byte
	for i := range r.Images {
		if i < distinctPhotos {
			var b bytes.Buffer
			photo := synthetic.Photo(r.Seed, uint64(i), photoH, photoW).ToImage()
			if err := errors.Join(jpeg.Encode(&b, photo, &jpeg.Options{Quality: photoQuality}), ctx.Err()); err != nil {
				return nil, err
			}
			files = append(files, b.Bytes())
		}
		if err := os.WriteFile(filepath.Join(class, fmt.Sprintf("%05d.jpg", i)), files[i%distinctPhotos], 0o644); err != nil {
			return nil, err
		}
	}
	return dataset.Open(ctx, dataset.Ref{Path: folder}, nil)
}
