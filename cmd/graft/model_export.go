package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/internal/atomicfile"
	"graft/internal/columns"
	"graft/internal/plural"
	"graft/onnx/precision"
	"graft/preprocess"
	"graft/pretrained"
	"graft/pretrained/vit"
)

// modelExportCommand turns a checkpoint into a backbone ONNX file.
func modelExportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "turn a vision transformer's checkpoint into ONNX",
		Description: "Reads a PyTorch file (.pth, .pt; of TorchScript too) or a .safetensors file with the tensor names of\n" +
			"torchvision, timm (also DeiT, DINO), OpenAI's CLIP and open_clip, Meta's DINOv2, or Hugging Face's ViT, DeiT,\n" +
			"CLIP, SigLIP and DINOv2, and writes an ONNX file from uint8 pixels to features:\n\n" +
			"   graft model export --weights vit_b_16-c867db91.pth --out vit_b_16.onnx\n" +
			"   graft model export --weights dino_vitbase16_pretrain.pth --normalize imagenet --image-size 96 --out dino.onnx\n" +
			"   graft model export --weights ViT-B-16.pt --out clip.onnx\n" +
			"   graft model export --weights vit_b_16.onnx --precision int8 --out vit_b_16.int8.onnx\n" +
			"   graft model export --weights tuned.onnx --out tuned.safetensors\n" +
			"   graft model export --random-init 1 --arch vit_ti_16 --out random.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "weights", Usage: "checkpoint `FILE`, .pth or .safetensors, the index of its shards or their folder; or a float32 .onnx file for another --precision"},
			keyFlag(),
			prefixFlag(),
			&cli.StringFlag{Name: "out", Required: true, Usage: "ONNX `FILE` to write, or of an .onnx file that graft exported a .safetensors checkpoint with timm's names"},
			&cli.StringFlag{Name: "precision", Value: "fp32", Usage: "`FORMAT` of the linear layers: fp32, int8 for CPUs, or fp16 for GPUs"},
			&cli.StringFlag{Name: "image-size", DefaultText: "the zoo's, else config.json's, else a square", Usage: "side of the network's input in `PIXELS`, or HxW; another than the checkpoint's interpolates the position embedding"},
			&cli.StringFlag{Name: "positions", DefaultText: "by the zoo, else by the names", Usage: "`WHOSE` way of interpolating positions: " + strings.Join(vit.Positions(), ", ") + " (dino: DINOv2's own code too)"},
			&cli.IntFlag{Name: "heads", DefaultText: "config.json's, else by the width", Usage: "`NUMBER` of attention heads, which tensors do not show"},
			&cli.StringFlag{Name: "activation", DefaultText: "by the zoo, config.json or the names", Usage: "`FUNCTION` of the perceptrons, which tensors do not show: gelu, gelu_tanh or quick_gelu"},
			&cli.StringFlag{Name: "name", Usage: "the zoo's `NAME` for the checkpoint, which decides activation, image size, mean, std and crop"},
			&cli.StringFlag{Name: "normalize", DefaultText: "by the zoo, else by the names of the tensors", Usage: "mean and std of pixels in [0,1]: imagenet, half, clip, none or `M,M,M/S,S,S`"},
			&cli.Float64Flag{Name: "crop-pct", DefaultText: "by the zoo, else by the names", Usage: "`PART` of a photograph's shorter side that the centre crop keeps"},
			&cli.Uint64Flag{Name: "random-init", DefaultText: "none", Usage: "draw random weights from `SEED` instead of reading a checkpoint"},
			&cli.StringFlag{Name: "arch", Usage: "`NAME` of the random network: vit_b_16, vit_s_16, vit_ti_16, vit_l_16 or vit_mini_8"},
			&cli.IntFlag{Name: "classes", DefaultText: "none", Usage: "`NUMBER` of outputs of the random network's classifier"},
			jsonFlag(),
		},
		Action: modelExport,
	}
}

func modelExport(c *cli.Context) error {
	for _, name := range []string{"heads", "crop-pct"} {
		if c.IsSet(name) && c.Float64(name) == 0 {
			return usageErrorf("--%s is 0, want more; leave it out for its default", name)
		}
	}
	kind, err := precision.Parse(c.String("precision"))
	if err != nil {
		return usageErrorf("--precision: %w", err)
	}
	if strings.HasSuffix(c.String("weights"), ".onnx") {
		return modelRewrite(c, kind)
	}
	if isCheckpoint(c.String("out")) {
		return usageErrorf("--out %s: a checkpoint is written of an .onnx file of graft's; --weights %s is none", c.String("out"), c.String("weights"))
	}
	o := vit.ConvertOptions{
		Weights: c.String("weights"), Key: c.String("key"), Prefix: c.String("prefix"), Positions: c.String("positions"), Name: c.String("name"), Heads: c.Int("heads"), Activation: vit.Activation(c.String("activation")),
		Random: c.IsSet("random-init"), Seed: c.Uint64("random-init"), Arch: c.String("arch"), Classes: c.Int("classes"),
		Out: c.String("out"), Normalize: c.String("normalize"), CropPct: c.Float64("crop-pct"),
		Precision: kind, Version: version(), Try: pretrained.Try,
	}
	if c.IsSet("image-size") {
		if o.ImageSize, o.ImageWidth, err = preprocess.ParseSize(c.String("image-size")); err != nil {
			return usageErrorf("--image-size: %w", err)
		}
	}
	if err := o.Validate(); err != nil {
		return usageErrorf("%w", err)
	}
	s, err := vit.Convert(c.Context, o, newProgress(c, "writing weights (bytes)"))
	if err != nil {
		return err
	}
	s.Notes = append(s.Notes, notTried()...)
	printExport(humanOut(c), s)
	return writeJSON(c, "graft-model-export-1", s)
}

// notTried is the note on an ONNX file that was written where ONNX Runtime is missing.
func notTried() []string {
	if err := pretrained.Native(); err != nil {
		return []string{"the file was checked, and not tried in a session: " + err.Error()}
	}
	return nil
}

// printExport writes the summary as a table, and below it what was assumed.
func printExport(out io.Writer, s vit.Summary) {
	w := columns.New(out, 2)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("file", "%s (%.1f MB, %.1f s)", s.Out, float64(s.Bytes)/1e6, s.Seconds)
	row("architecture", "%s: width %d, %s, %s", s.Arch, s.Width, plural.Of(s.Depth, "block"), plural.Of(s.Heads, "head"))
	if s.Variant != "" {
		row("variant", "%s", s.Variant)
	}
	row("parameters", "%d", s.Parameters)
	row("source", "%s (%s names)", s.Source, s.Family)
	row("precision", "%s", s.Precision)
	row("image", "%d×%d pixels, patches of %d", s.Image, cmp.Or(s.Across, s.Image), s.Patch)
	row("preprocessing", "bilinear, mean %v, std %v, crop %.3g", s.Mean, s.Std, s.CropPct)
	if s.Interpolation != "" && s.Interpolation != "bilinear" {
		row("", "its publisher resizes photographs by %s", s.Interpolation)
	}
	last := max(0, len(s.Taps)-2)
	row("taps", "%d of %d numbers: %s … %s", len(s.Taps), s.Width, strings.Join(s.Taps[:min(4, last)], ", "), strings.Join(s.Taps[last:], ", "))
	if s.Classes > 0 {
		row("logits", "%s", plural.Of(s.Classes, "class"))
	}
	for _, n := range s.Notes {
		row("note", "%s", n)
	}
	_ = w.Flush()
}

// rewriteReport is the JSON of model export where the weights are an ONNX file.
type rewriteReport struct {
	Out        string         `json:"out"`
	Bytes      int64          `json:"bytes"`
	Precision  precision.Kind `json:"precision"`
	Parameters int64          `json:"parameters"`
	Products   int            `json:"products"` // rewritten
	Seconds    float64        `json:"seconds"`
	Notes      []string       `json:"notes,omitempty"`
}

// isCheckpoint tells files that take a network's weights alone.
func isCheckpoint(path string) bool { return strings.HasSuffix(path, ".safetensors") }

// rewrite writes the file.
func (r *rewriteReport) rewrite(from string) (err error) {
	if !isCheckpoint(r.Out) {
		r.Products, err = precision.ConvertFile(from, r.Out, r.Precision, pretrained.Try)
		return err
	}
	if r.Precision == precision.Int8 {
		return usageErrorf("--precision %s: checkpoints are written in fp32 or fp16", r.Precision)
	}
	return vit.Save(from, r.Out, r.Precision == precision.Float16)
}

// modelRewrite gives an ONNX file, graft's or another's, another precision.
func modelRewrite(c *cli.Context, kind precision.Kind) error {
	if err := refuse(c, "an ONNX file takes --precision only", flagNames(c.Command.Flags, "weights", "out", "precision", "json")...); err != nil {
		return err
	}
	if kind == precision.Float32 && !isCheckpoint(c.String("out")) {
		return usageErrorf("%s is an ONNX file already: say --precision int8 or fp16", c.String("weights"))
	}
	if atomicfile.Same(c.String("weights"), c.String("out")) {
		return fmt.Errorf("%s is the weights file: name another --out", c.String("out"))
	}
	start := time.Now()
	r := rewriteReport{Out: c.String("out"), Precision: kind}
	from, err := pretrained.OpenFile(c.String("weights"))
	if err != nil {
		return err
	}
	if r.Parameters, err = from.Parameters(); err != nil {
		return err
	}
	if err = r.rewrite(from.Path); err != nil {
		return err
	}
	info, err := os.Stat(r.Out)
	if err != nil {
		return err
	}
	r.Bytes, r.Seconds = info.Size(), time.Since(start).Seconds()
	if isCheckpoint(r.Out) {
		fmt.Fprintf(humanOut(c), "%s: weights in %s (%.1f MB, %.1f s)\n", r.Out, kind, float64(r.Bytes)/1e6, r.Seconds)
		return writeJSON(c, "graft-model-export-1", r)
	}
	fmt.Fprintf(humanOut(c), "%s: %s in %s (%.1f MB, %.1f s)\n", r.Out, plural.Of(r.Products, "product"), kind, float64(r.Bytes)/1e6, r.Seconds)
	if r.Notes = notTried(); len(r.Notes) > 0 {
		fmt.Fprintf(humanOut(c), "note: %s\n", r.Notes[0])
	}
	return writeJSON(c, "graft-model-export-1", r)
}
