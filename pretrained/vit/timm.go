package vit

import (
	"slices"

	"graft/preprocess"
)

// timm names the tensors of timm's vit_* and deit_* models, and of the
// checkpoints that the DeiT and DINO authors published, which name theirs
// alike (timm/models/vision_transformer.py). DINO's have no head. open_clip puts
// "visual.trunk." before those of its models that are timm's, as SigLIP.
var timm = family{
	name:      "timm",
	prefixes:  []string{"", "visual.trunk."},
	classless: true,
	gated:     true,
	names: slices.Concat(timmCommon, []mapping{
		{ours: "dist", theirs: []string{"dist_token"}},
		{ours: "registers", theirs: []string{"reg_token"}},
		{ours: "norm_pre.{p}", theirs: []string{"norm_pre.{p}"}},
		{ours: "pool.query", theirs: []string{"attn_pool.latent"}},
		{ours: "pool.q.{p}", theirs: []string{"attn_pool.q.{p}"}},
		{ours: "pool.kv.{p}", theirs: []string{"attn_pool.kv.{p}"}},
		{ours: "pool.proj.{p}", theirs: []string{"attn_pool.proj.{p}"}},
		{ours: "pool.norm.{p}", theirs: []string{"attn_pool.norm.{p}"}},
		{ours: "pool.fc1.{p}", theirs: []string{"attn_pool.mlp.fc1.{p}"}},
		{ours: "pool.fc2.{p}", theirs: []string{"attn_pool.mlp.fc2.{p}"}},
		{ours: "fc_norm.{p}", theirs: []string{"fc_norm.{p}"}},
		{ours: "blocks.{i}.q_norm.{p}", theirs: []string{"blocks.{i}.attn.q_norm.{p}"}},
		{ours: "blocks.{i}.k_norm.{p}", theirs: []string{"blocks.{i}.attn.k_norm.{p}"}},
		{ours: "head.{p}", theirs: []string{"head.{p}"}},
		{ours: "head_dist.{p}", theirs: []string{"head_dist.{p}"}},
	}),
	unused: []unused{
		{"the text encoder", []string{"^text."}},
		{"the scale of similarities", []string{"^logit_scale", "^logit_bias"}},
	},
	defaults: defaults{
		eps:        1e-6,
		preprocess: Preprocess{Normalization: preprocess.Half, CropPct: 0.9},
		note: "timm's names: mean and std of 0.5 assumed, as the augreg models want; " +
			"DeiT, DINO and MAE have the same names and want --normalize imagenet",
		variants: []variant{
			{func(c Config) bool { return c.PreNorm }, clipPreprocess,
				"timm's names with a norm before the blocks: CLIP's mean and std assumed; LAION's ViT-L/14 wants --normalize half",
				"GELU assumed; OpenAI's weights want --activation quick_gelu"},
			{func(c Config) bool { return c.Distilled }, Preprocess{Normalization: preprocess.ImageNet, CropPct: 0.9},
				"timm's names with a distillation token: ImageNet mean and std assumed, as DeiT wants", ""},
			{func(c Config) bool { return c.MeanNorm && !c.NoClass }, Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256},
				"timm's names with a class token and a norm of the mean: ImageNet mean and std assumed, as MAE's fine-tuning wants", ""},
			{func(c Config) bool { return c.LayerScale }, Preprocess{Normalization: preprocess.ImageNet, CropPct: 1},
				"timm's names with layer scale: ImageNet mean and std assumed, as DeiT III and DINOv2 want", ""},
			{func(c Config) bool { return c.AttnPool }, Preprocess{Normalization: preprocess.Half, CropPct: 0.9},
				"timm's names with attention pooling: mean and std of 0.5 assumed, as SigLIP wants",
				"GELU assumed, as timm runs SigLIP; it was trained with the approximation by tanh (--activation gelu_tanh)"},
		},
		// timm.layers.resample_abs_pos_embed; PyTorch's antialiased bicubic
		// kernel has a = -0.5.
		resample: resampling{a: -0.5, antialias: true},
	},
}

// timmCommon names what DINOv2 names as timm does.
var timmCommon = []mapping{
	{ours: "patch.{p}", theirs: []string{"patch_embed.proj.{p}"}},
	{ours: "cls", theirs: []string{"cls_token"}},
	{ours: "pos", theirs: []string{"pos_embed"}},
	{ours: "norm.{p}", theirs: []string{"norm.{p}"}},
	{ours: "blocks.{i}.norm1.{p}", theirs: []string{"blocks.{i}.norm1.{p}"}},
	{ours: "blocks.{i}.qkv.{p}", theirs: []string{"blocks.{i}.attn.qkv.{p}"}},
	{ours: "blocks.{i}.proj.{p}", theirs: []string{"blocks.{i}.attn.proj.{p}"}},
	{ours: "blocks.{i}.ls1", theirs: []string{"blocks.{i}.ls1.gamma"}},
	{ours: "blocks.{i}.norm2.{p}", theirs: []string{"blocks.{i}.norm2.{p}"}},
	{ours: "blocks.{i}.fc1.{p}", theirs: []string{"blocks.{i}.mlp.fc1.{p}"}},
	{ours: "blocks.{i}.fc2.{p}", theirs: []string{"blocks.{i}.mlp.fc2.{p}"}},
	{ours: "blocks.{i}.ls2", theirs: []string{"blocks.{i}.ls2.gamma"}},
}

// mae is the encoder of a masked autoencoder with its decoder beside it
// (facebookresearch/mae: models_mae.py, and its evaluation's build_transform).
var mae = family{
	name: "mae", prefixes: []string{""}, sign: "decoder_embed.", names: timm.names,
	unused: []unused{{"the decoder of masked pretraining", []string{"decoder_", "mask_token"}}},
	defaults: defaults{
		eps: 1e-6, preprocess: Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256}, resample: timm.resample,
		note: "a masked autoencoder's names: ImageNet mean and std assumed",
	},
}

// dinov2 names the tensors of the backbones that Meta published as DINOv2
// (dinov2/models/vision_transformer.py). The mask token, used in training only,
// tells them from timm's. Published for 518 pixels, they are evaluated at 224.
var dinov2 = family{
	name:     "dinov2",
	prefixes: []string{""},
	sign:     "mask_token",
	always:   Config{LayerScale: true},
	gated:    true,
	names: slices.Concat(timmCommon, []mapping{
		{ours: "registers", theirs: []string{"register_tokens"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"blocks.{i}.mlp.w12.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"blocks.{i}.mlp.w3.{p}"}},
	}),
	unused: []unused{{"the mask token of pretraining", []string{"mask_token"}}},
	defaults: defaults{
		eps:        1e-6,
		preprocess: Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256},
		note:       "DINOv2's names: ImageNet mean and std assumed; published for 518 pixels, it is usually run at 224 (--image-size 224)",
		resample:   dinoResample,
		registered: dinov2Registered,
	},
}

// DINO's VisionTransformer.interpolate_pos_encoding, and DINOv2's with the
// settings of its hub (dinov2/hub/backbones.py): interpolate_offset 0.1 and no
// antialias, or with registers no offset and antialias.
var (
	dinoResample     = resampling{a: -0.75, offset: 0.1}
	dinov2Registered = resampling{a: -0.5, antialias: true}
)
