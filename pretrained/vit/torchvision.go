package vit

// torchvision names the tensors of vit_b_16, vit_b_32, vit_l_16, vit_l_32 and
// vit_h_14, after torchvision/models/vision_transformer.py. Versions before
// 0.14 called the perceptron's layers linear_1 and linear_2; the published
// files still do.
var torchvision = family{
	name:     "torchvision",
	eps:      1e-6,
	prefixes: []string{""},
	names: []spelling{
		{"patch.{p}", []string{"conv_proj.{p}"}},
		{"cls", []string{"class_token"}},
		{"pos", []string{"encoder.pos_embedding"}},
		{"blocks.{i}.norm1.{p}", []string{"encoder.layers.encoder_layer_{i}.ln_1.{p}"}},
		{"blocks.{i}.qkv.{p}", []string{"encoder.layers.encoder_layer_{i}.self_attention.in_proj_{p}"}},
		{"blocks.{i}.proj.{p}", []string{"encoder.layers.encoder_layer_{i}.self_attention.out_proj.{p}"}},
		{"blocks.{i}.norm2.{p}", []string{"encoder.layers.encoder_layer_{i}.ln_2.{p}"}},
		{"blocks.{i}.fc1.{p}", []string{"encoder.layers.encoder_layer_{i}.mlp.linear_1.{p}"}},
		{"blocks.{i}.fc1.{p}", []string{"encoder.layers.encoder_layer_{i}.mlp.0.{p}"}},
		{"blocks.{i}.fc2.{p}", []string{"encoder.layers.encoder_layer_{i}.mlp.linear_2.{p}"}},
		{"blocks.{i}.fc2.{p}", []string{"encoder.layers.encoder_layer_{i}.mlp.3.{p}"}},
		{"norm.{p}", []string{"encoder.ln.{p}"}},
		{"head.{p}", []string{"heads.head.{p}"}},
	},
	refused: []refusal{
		{"heads.pre_logits.", "a representation layer before the classifier is not supported"},
	},
	defaults: defaults{
		// ViT_B_16_Weights.IMAGENET1K_V1: resize to 256, crop 224.
		preprocess: Preprocess{imageNet, 224. / 256},
		note:       "torchvision's names: ImageNet mean and std assumed",
		// torchvision.models.vision_transformer.interpolate_embeddings.
		resample: resampling{a: -0.75, alignCorners: true},
	},
}
