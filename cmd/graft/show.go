package main

import (
	"github.com/urfave/cli/v2"

	"graft/report/show"
)

// showCommand draws one image's way through a model.
func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "pictures of one image's way through a model",
		ArgsUsage: "MODEL IMAGE",
		Description: `MODEL is a run folder of any kind, or an ONNX file that graft's own engine understands, whoever
made it. What is drawn follows from the network: filters and maps of convolutions; patches, embedding,
positions and attention of transformers; what speaks for a class, over the photograph; what a head
reads of each tap:

   graft show runs/cnn face.png --out shown
   graft show vit_b_16.onnx photo.jpg --out shown --html --class 281

The numbers lie in show.json beside the pictures. ONNX Runtime is not needed for it.`,
		Flags: append([]cli.Flag{
			outFlag("`FOLDER` for the pictures, new, empty or of an earlier call"),
			&cli.StringFlag{Name: "class", Usage: "show what speaks for this `CLASS`, by name or number (default: the most probable one)"},
			atLeast(0, &cli.IntFlag{Name: "layers", Value: 16, Usage: "draw the maps of `N` layers of convolutions at most, evenly (0: all)"}),
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			atLeast(0, &cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores)"}),
			jsonFlag(),
		}, append(formFlags(), foreignFlags()...)...),
		Action: showModel,
	}
}

// formFlags say how pictures are written.
func formFlags() []cli.Flag {
	return grouped(pictureHeading,
		&cli.BoolFlag{Name: "html", Usage: "write one page, show.html, in place of pictures"},
		&cli.BoolFlag{Name: "svg", Usage: "write SVG files in place of PNG"},
		&cli.BoolFlag{Name: "force", Usage: "write into a folder that holds other things"})
}

// formOf reads formFlags.
func formOf(c *cli.Context) (show.Form, error) {
	switch {
	case c.Bool("html"):
		return show.FormHTML, refuse(c, "all is in one page", "svg")
	case c.Bool("svg"):
		return show.FormSVG, nil
	}
	return show.FormPNG, nil
}

func showModel(c *cli.Context) error {
	path := c.Args().Get(0)
	if !isFolder(path) {
		if err := refuse(c, "the file is looked at itself", "model"); err != nil {
			return err
		}
	} else if err := refuseBackbone(c, path); err != nil {
		return err
	}
	form, err := formOf(c)
	if err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	r, err := show.Run(c.Context, show.Config{Model: path, Image: c.Args().Get(1), Backbone: c.String("model"), Foreign: o.Foreign,
		Class: c.String("class"), Layers: c.Int("layers"), Threads: c.Int("threads")})
	if err != nil {
		return err
	}
	if err := r.Write(show.Folder{Path: c.String("out"), Form: form, Force: c.Bool("force")}); err != nil {
		return err
	}
	for _, n := range r.Notes {
		logf(c, "note: %s", n)
	}
	printFiles(c, r.Files)
	return writeJSON(c, show.Schema, r)
}
