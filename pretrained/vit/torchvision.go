package vit

import "graft/preprocess"

// torchvision names the tensors of vit_b_16, vit_b_32, vit_l_16, vit_l_32 and
// vit_h_14, after torchvision/models/vision_transformer.py. Versions before
// 0.14 called the perceptron's layers linear_1 and linear_2; the published
// files still do.
var torchvision = family{
	name:     "torchvision",
	prefixes: []string{""},
	names: []mapping{
		{ours: "patch.{p}", theirs: []string{"conv_proj.{p}"}},
		{ours: "cls", theirs: []string{"class_token"}},
		{ours: "pos", theirs: []string{"encoder.pos_embedding"}},
		{ours: "blocks.{i}.norm1.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.ln_1.{p}"}},
		{ours: "blocks.{i}.qkv.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.self_attention.in_proj_{p}"}},
		{ours: "blocks.{i}.proj.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.self_attention.out_proj.{p}"}},
		{ours: "blocks.{i}.norm2.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.ln_2.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.mlp.linear_1.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.mlp.0.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.mlp.linear_2.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layers.encoder_layer_{i}.mlp.3.{p}"}},
		{ours: "norm.{p}", theirs: []string{"encoder.ln.{p}"}},
		{ours: "head.{p}", theirs: []string{"heads.head.{p}"}},
	},
	defaults: defaults{
		eps: 1e-6,
		// ViT_B_16_Weights.IMAGENET1K_V1: resize to 256, crop 224.
		preprocess: Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256},
		note:       "torchvision's names: ImageNet mean and std assumed",
		// torchvision.models.vision_transformer.interpolate_embeddings.
		resample: resampling{a: -0.75, alignCorners: true},
	},
}
