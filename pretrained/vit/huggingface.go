package vit

import (
	"slices"

	"graft/preprocess"
)

// huggingFaceAttention is what transformers' ViT and DINOv2 name alike.
var huggingFaceAttention = []mapping{
	{ours: "patch.{p}", theirs: []string{"embeddings.patch_embeddings.projection.{p}"}},
	{ours: "cls", theirs: []string{"embeddings.cls_token"}},
	{ours: "pos", theirs: []string{"embeddings.position_embeddings"}},
	{ours: "blocks.{i}.qkv.{p}", theirs: []string{
		"encoder.layer.{i}.attention.attention.query.{p}",
		"encoder.layer.{i}.attention.attention.key.{p}",
		"encoder.layer.{i}.attention.attention.value.{p}",
	}},
	{ours: "blocks.{i}.proj.{p}", theirs: []string{"encoder.layer.{i}.attention.output.dense.{p}"}},
	{ours: "norm.{p}", theirs: []string{"layernorm.{p}"}},
	{ours: "head.{p}", theirs: []string{"^classifier.{p}"}},
}

// projections names attention as transformers 5 does in memory, which torch.save keeps;
// its save_pretrained writes the names of before. block is what stands before.
func projections(block string) []mapping {
	return []mapping{
		{ours: "blocks.{i}.qkv.{p}", theirs: []string{block + "attention.q_proj.{p}", block + "attention.k_proj.{p}", block + "attention.v_proj.{p}"}},
		{ours: "blocks.{i}.proj.{p}", theirs: []string{block + "attention.o_proj.{p}"}},
	}
}

// huggingFace names the tensors of transformers' ViTModel, DeiTModel and their
// classifiers (transformers/models/vit/modeling_vit.py,
// transformers/models/deit/modeling_deit.py), which put "vit." or "deit."
// before all but the classifiers. The pooler is trained for nothing but a task
// of its own, and the mask token is used in masked pretraining only.
var huggingFace = family{
	name:     "huggingface",
	prefixes: []string{"", "vit.", "deit."},
	names: slices.Concat(huggingFaceAttention, projections("layers.{i}."), []mapping{
		{ours: "blocks.{i}.norm1.{p}", theirs: []string{"layers.{i}.layernorm_before.{p}"}},
		{ours: "blocks.{i}.norm2.{p}", theirs: []string{"layers.{i}.layernorm_after.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"layers.{i}.mlp.fc1.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"layers.{i}.mlp.fc2.{p}"}},
		{ours: "dist", theirs: []string{"embeddings.distillation_token"}},
		{ours: "blocks.{i}.norm1.{p}", theirs: []string{"encoder.layer.{i}.layernorm_before.{p}"}},
		{ours: "blocks.{i}.norm2.{p}", theirs: []string{"encoder.layer.{i}.layernorm_after.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layer.{i}.intermediate.dense.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layer.{i}.output.dense.{p}"}},
		{ours: "head.{p}", theirs: []string{"^cls_classifier.{p}"}},
		{ours: "head_dist.{p}", theirs: []string{"^distillation_classifier.{p}"}},
	}),
	unused: []unused{
		{"the pooler", []string{"pooler.dense."}},
		{"the mask token of pretraining", []string{"embeddings.mask_token"}},
	},
	defaults: defaults{
		eps: 1e-12,
		// preprocessor_config.json of google/vit-base-patch16-224: the whole
		// image to 224, mean and std 0.5.
		preprocess: Preprocess{Normalization: preprocess.Half, CropPct: 1},
		note: "Hugging Face's names: mean and std of 0.5 assumed, as google's models want; " +
			"facebook/dino-*, facebook/deit-* and facebook/vit-mae-* have the same names and want --normalize imagenet",
		variants: []variant{
			// preprocessor_config.json of facebook/deit-base-distilled-patch16-224.
			{func(c Config) bool { return c.Distilled }, Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256},
				"Hugging Face's names with a distillation token: ImageNet mean and std assumed, as DeiT wants", ""},
		},
		// ViTEmbeddings.interpolate_pos_encoding with an explicit size.
		resample: resampling{a: -0.75},
	},
}

// huggingFaceDINOv2 names the tensors of transformers' Dinov2Model,
// Dinov2WithRegistersModel and their classifiers
// (transformers/models/dinov2/modeling_dinov2.py and its sibling), which put
// "dinov2." or "dinov2_with_registers." before all but the classifier.
var huggingFaceDINOv2 = family{
	name:     "huggingface-dinov2",
	prefixes: []string{"", "dinov2.", "dinov2_with_registers."},
	sign:     "encoder.layer.0.norm1.",
	always:   Config{LayerScale: true, ClassifyMean: true},
	gated:    true,
	names: slices.Concat(huggingFaceAttention, projections("encoder.layer.{i}."), []mapping{
		{ours: "registers", theirs: []string{"embeddings.register_tokens"}},
		{ours: "blocks.{i}.norm1.{p}", theirs: []string{"encoder.layer.{i}.norm1.{p}"}},
		{ours: "blocks.{i}.ls1", theirs: []string{"encoder.layer.{i}.layer_scale1.lambda1"}},
		{ours: "blocks.{i}.norm2.{p}", theirs: []string{"encoder.layer.{i}.norm2.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layer.{i}.mlp.fc1.{p}"}},
		{ours: "blocks.{i}.fc1.{p}", theirs: []string{"encoder.layer.{i}.mlp.weights_in.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layer.{i}.mlp.fc2.{p}"}},
		{ours: "blocks.{i}.fc2.{p}", theirs: []string{"encoder.layer.{i}.mlp.weights_out.{p}"}},
		{ours: "blocks.{i}.ls2", theirs: []string{"encoder.layer.{i}.layer_scale2.lambda1"}},
	}),
	unused: []unused{{"the mask token of pretraining", []string{"embeddings.mask_token"}}},
	defaults: defaults{
		eps: 1e-6,
		// preprocessor_config.json of facebook/dinov2-base: shorter side to
		// 256, 224 kept.
		preprocess: Preprocess{Normalization: preprocess.ImageNet, CropPct: 224. / 256},
		note:       "Hugging Face's DINOv2 names: ImageNet mean and std assumed; published for 518 pixels, it is usually run at 224 (--image-size 224)",
		// Dinov2Embeddings.interpolate_pos_encoding since transformers 4.45.
		resample:   huggingFace.resample,
		registered: dinov2Registered,
	},
}

// huggingFaceMAE is the encoder of transformers' ViTMAEForPreTraining
// (transformers/models/vit_mae/modeling_vit_mae.py; preprocessor_config.json of facebook/vit-mae-base).
var huggingFaceMAE = family{
	name: "huggingface-mae", prefixes: []string{"vit."}, sign: "^decoder.decoder_", names: huggingFace.names,
	unused: []unused{{"the decoder of masked pretraining", []string{"^decoder."}}},
	defaults: defaults{
		eps: 1e-12, preprocess: Preprocess{Normalization: preprocess.ImageNet, CropPct: 1}, resample: huggingFace.resample,
		note: "a masked autoencoder's names: ImageNet mean and std assumed",
	},
}
