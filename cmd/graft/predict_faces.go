package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/models"
	"graft/onnx/session"
	"graft/pretrained/detect"
)

// faceFlags are those of finding faces first.
func faceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "faces", Usage: "find the faces of a photograph first, and classify each, cut out as FER2013's are"},
		&cli.Float64Flag{Name: "face-score", Value: detect.DefaultScore, Usage: "call a face what has this `SCORE` or more, from 0 to 1",
			Action: func(_ *cli.Context, p float64) error {
				if !(p > 0 && p <= 1) {
					return usageErrorf("--face-score %g, want a score above 0 and at most 1", p)
				}
				return nil
			}},
		&cli.IntFlag{Name: "face-side", Value: detect.DefaultSide, Usage: "look for faces with the photograph's longer side made at most so many `PIXELS`: more finds smaller faces, and costs time",
			Action: func(_ *cli.Context, n int) error {
				if n < detect.MinSide || n > detect.MaxSide {
					return usageErrorf("--face-side %d, want %d to %d pixels", n, detect.MinSide, detect.MaxSide)
				}
				return nil
			}},
		&cli.StringFlag{Name: "face-model", Value: filepath.Join("models", models.Faces+".onnx"), Usage: "the detector's ONNX `FILE`, which graft model pull " + models.Faces + " fetches"},
	}
}

// openFaces opens the detector, nil where no faces are looked for.
func openFaces(c *cli.Context, o session.Options, many bool) (*detect.Detector, error) {
	if !c.Bool("faces") {
		return nil, refuse(c, "without --faces none are looked for", flagNames(faceFlags(), "faces")...)
	}
	o.Throughput = many
	return detect.Open(c.Context, c.String("face-model"), detect.Options{Runtime: o, Score: c.Float64("face-score"), Side: c.Int("face-side")})
}

// faceText says where a face is, and where its landmarks are.
func faceText(f *detect.Face) (box, landmarks string) {
	var at []string
	for i, word := range detect.Landmarks() {
		at = append(at, fmt.Sprintf("%s %.0f,%.0f", word, f.Landmarks[i].X, f.Landmarks[i].Y))
	}
	return fmt.Sprintf(" face at %.0f,%.0f of %.0f×%.0f pixels, score %.2f:", f.X, f.Y, f.Width, f.Height, f.Score), strings.Join(at, "; ")
}

// faceColumns are the words of faceCells.
func faceColumns() []string {
	row := []string{"face_x", "face_y", "face_width", "face_height", "face_score"}
	for _, word := range detect.Landmarks() {
		word = strings.ReplaceAll(strings.ReplaceAll(word, " of the ", "_"), " ", "_")
		row = append(row, word+"_x", word+"_y")
	}
	return row
}

// faceCells are a face's numbers, none of no face.
func faceCells(f *detect.Face) []string {
	row := make([]string, len(faceColumns()))
	if f == nil {
		return row
	}
	numbers := []float32{f.X, f.Y, f.Width, f.Height, f.Score}
	for _, p := range f.Landmarks {
		numbers = append(numbers, p.X, p.Y)
	}
	for i, v := range numbers {
		row[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return row
}
