package vit

import (
	"slices"

	"graft/preprocess"
)

// Preprocess of OpenAI's CLIP: resize the shorter side, cut the centre.
var clipPreprocess = Preprocess{Normalization: preprocess.CLIP, CropPct: 1}

// openAI names the image encoder of OpenAI's CLIP (clip/model.py), whose names
// open_clip kept: in a file of the whole model after "visual.", alone without.
var openAI = family{
	name:     "openai",
	prefixes: []string{"visual.", ""},
	sign:     "transformer.resblocks.",
	always:   Config{PreNorm: true, NoPatchBias: true},
	names: []mapping{
		{ours: "patch.{p}", theirs: []string{"conv1.{p}"}},
		{ours: "cls", theirs: []string{"class_embedding"}, form: form{flat: true}},
		{ours: "pos", theirs: []string{"positional_embedding"}, form: form{flat: true}},
		{ours: "norm_pre.{p}", theirs: []string{"ln_pre.{p}"}},
		{ours: "blocks.{i}.norm1.{p}", theirs: []string{"transformer.resblocks.{i}.ln_1.{p}"}},
		{ours: "blocks.{i}.qkv.{p}", theirs: []string{"transformer.resblocks.{i}.attn.in_proj_{p}"}},
		{ours: "blocks.{i}.proj.{p}", theirs: []string{"transformer.resblocks.{i}.attn.out_proj.{p}"}},
		{ours: "blocks.{i}.norm2.{p}", theirs: []string{"transformer.resblocks.{i}.ln_2.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"transformer.resblocks.{i}.mlp.c_fc.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"transformer.resblocks.{i}.mlp.c_proj.{p}"}},
		{ours: "norm.{p}", theirs: []string{"ln_post.{p}"}},
		{ours: "proj.{p}", theirs: []string{"proj"}, form: form{transposed: true}},
	},
	unused: []unused{
		{"the text encoder", []string{"^transformer.resblocks.", "^token_embedding.", "^positional_embedding", "^ln_final.",
			"^text_projection", "^attn_mask"}},
		{"the scale of similarities", []string{"^logit_scale", "^logit_bias"}},
		{"sizes", []string{"^input_resolution", "^context_length", "^vocab_size"}},
	},
	refused: []refusal{{"attn_pool.", "attention pooling (CoCa) is not supported under these names"}},
	defaults: defaults{
		eps:        1e-5,
		activation: QuickGELU,
		preprocess: clipPreprocess,
		note:       "CLIP's names: CLIP's mean and std assumed as in OpenAI's weights; LAION's ViT-L/14 wants --normalize half",
		activationNote: "quick GELU assumed as in OpenAI's weights; " +
			"open_clip's own (LAION, DataComp) have the same names and mostly want --activation gelu",
		// open_clip/model.py: resize_pos_embed. OpenAI's code resizes nothing.
		resample: resampling{a: -0.5, antialias: true},
	},
}

// huggingFaceText are the tensors of CLIPModel and SiglipModel that have
// nothing to do with images.
var huggingFaceText = []unused{
	{"the text encoder", []string{"^text_model.", "^text_projection."}},
	{"the scale of similarities", []string{"^logit_scale", "^logit_bias"}},
	{"the numbers of positions", []string{"embeddings.position_ids"}},
}

// huggingFaceVision is what transformers' CLIPVisionModel and
// SiglipVisionModel name alike.
var huggingFaceVision = []mapping{
	{ours: "patch.{p}", theirs: []string{"embeddings.patch_embedding.{p}"}},
	{ours: "pos", theirs: []string{"embeddings.position_embedding.weight"}, form: form{flat: true}},
	{ours: "blocks.{i}.norm1.{p}", theirs: []string{"encoder.layers.{i}.layer_norm1.{p}"}},
	{ours: "blocks.{i}.qkv.{p}", theirs: []string{
		"encoder.layers.{i}.self_attn.q_proj.{p}",
		"encoder.layers.{i}.self_attn.k_proj.{p}",
		"encoder.layers.{i}.self_attn.v_proj.{p}",
	}},
	{ours: "blocks.{i}.proj.{p}", theirs: []string{"encoder.layers.{i}.self_attn.out_proj.{p}"}},
	{ours: "blocks.{i}.norm2.{p}", theirs: []string{"encoder.layers.{i}.layer_norm2.{p}"}},
	{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layers.{i}.mlp.fc1.{p}"}},
	{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layers.{i}.mlp.fc2.{p}"}},
	{ours: "norm.{p}", theirs: []string{"post_layernorm.{p}"}},
}

// huggingFaceCLIP names the image encoder of transformers' CLIPModel,
// CLIPVisionModel and CLIPVisionModelWithProjection
// (transformers/models/clip/modeling_clip.py, spelling mistake included).
var huggingFaceCLIP = family{
	name:     "huggingface-clip",
	prefixes: []string{"vision_model.", ""},
	sign:     "pre_layrnorm.",
	always:   Config{PreNorm: true, NoPatchBias: true},
	names: slices.Concat(huggingFaceVision, []mapping{
		{ours: "cls", theirs: []string{"embeddings.class_embedding"}, form: form{flat: true}},
		{ours: "norm_pre.{p}", theirs: []string{"pre_layrnorm.{p}"}},
		{ours: "proj.{p}", theirs: []string{"^visual_projection.{p}"}},
	}),
	unused: huggingFaceText,
	defaults: defaults{
		eps:        1e-5,
		activation: QuickGELU,
		preprocess: clipPreprocess,
		note:       "Hugging Face's CLIP names: CLIP's mean and std assumed as in OpenAI's weights",
		activationNote: "quick GELU assumed as in OpenAI's weights; " +
			"where config.json says \"hidden_act\": \"gelu\" (LAION's), give --activation gelu",
		// CLIPVisionEmbeddings.interpolate_pos_encoding.
		resample: resampling{a: -0.75},
	},
}

// huggingFaceSigLIP names the image encoder of transformers' SiglipModel and
// SiglipVisionModel (transformers/models/siglip/modeling_siglip.py).
var huggingFaceSigLIP = family{
	name:     "huggingface-siglip",
	prefixes: []string{"vision_model.", ""},
	always:   Config{NoClass: true},
	names: slices.Concat(huggingFaceVision, []mapping{
		{ours: "pool.query", theirs: []string{"head.probe"}},
		{ours: "pool.q.{p}", theirs: []string{"head.attention.in_proj_{p}"}, form: form{third: 1}},
		{ours: "pool.kv.{p}", theirs: []string{"head.attention.in_proj_{p}"}, form: form{third: 2}},
		{ours: "pool.proj.{p}", theirs: []string{"head.attention.out_proj.{p}"}},
		{ours: "pool.norm.{p}", theirs: []string{"head.layernorm.{p}"}},
		{ours: "pool.fc1.{p}", theirs: []string{"head.mlp.fc1.{p}"}},
		{ours: "pool.fc2.{p}", theirs: []string{"head.mlp.fc2.{p}"}},
	}),
	unused: huggingFaceText,
	defaults: defaults{
		eps:        1e-6,
		activation: TanhGELU,
		preprocess: Preprocess{Normalization: preprocess.Half, CropPct: 1},
		note:       "Hugging Face's SigLIP names: mean and std of 0.5 assumed",
		// SiglipVisionEmbeddings.interpolate_pos_encoding.
		resample: resampling{a: -0.75},
	},
}
