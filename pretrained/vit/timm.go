package vit

// timm names the tensors of timm's vit_* and deit_* models, and of the
// checkpoints that the DeiT and DINO authors published, which name theirs
// alike (timm/models/vision_transformer.py). DINO's have no head.
var timm = family{
	name:     "timm",
	eps:      1e-6,
	prefixes: []string{""},
	names: []spelling{
		{"patch.{p}", []string{"patch_embed.proj.{p}"}},
		{"cls", []string{"cls_token"}},
		{"pos", []string{"pos_embed"}},
		{"blocks.{i}.norm1.{p}", []string{"blocks.{i}.norm1.{p}"}},
		{"blocks.{i}.qkv.{p}", []string{"blocks.{i}.attn.qkv.{p}"}},
		{"blocks.{i}.proj.{p}", []string{"blocks.{i}.attn.proj.{p}"}},
		{"blocks.{i}.norm2.{p}", []string{"blocks.{i}.norm2.{p}"}},
		{"blocks.{i}.fc1.{p}", []string{"blocks.{i}.mlp.fc1.{p}"}},
		{"blocks.{i}.fc2.{p}", []string{"blocks.{i}.mlp.fc2.{p}"}},
		{"norm.{p}", []string{"norm.{p}"}},
		{"head.{p}", []string{"head.{p}"}},
	},
	refused: []refusal{
		{"dist_token", "a distilled DeiT has a second class token, which is not supported: use the checkpoint without \"distilled\" in its name"},
		{"head_dist.", "a distilled DeiT has a second class token, which is not supported: use the checkpoint without \"distilled\" in its name"},
		{"reg_token", "register tokens are not supported"},
		{"register_tokens", "register tokens (DINOv2) are not supported"},
		{"mask_token", "a mask token (DINOv2, BEiT) is not supported"},
		{"norm_pre.", "a norm before the blocks (CLIP) is not supported"},
		{"fc_norm.", "a classifier on the mean of the tokens is not supported"},
		{"attn_pool.", "attention pooling (SigLIP) is not supported"},
		{"pre_logits.", "a representation layer before the classifier is not supported"},
	},
	defaults: defaults{
		preprocess: Preprocess{half, 0.9},
		note: "timm's names: mean and std of 0.5 assumed, as the augreg models want; " +
			"DeiT and DINO have the same names and want --normalize imagenet",
		// timm.layers.resample_abs_pos_embed; PyTorch's antialiased bicubic
		// kernel has a = -0.5.
		resample: resampling{a: -0.5, antialias: true},
	},
}
