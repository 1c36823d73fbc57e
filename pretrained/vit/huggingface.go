package vit

// huggingFace names the tensors of transformers' ViTModel and
// ViTForImageClassification (transformers/models/vit/modeling_vit.py). The
// latter puts "vit." before all but the classifier. The pooler is trained for
// nothing but a task of its own, and the mask token is used in masked
// pretraining only.
var huggingFace = family{
	name:     "huggingface",
	eps:      1e-12,
	prefixes: []string{"", "vit."},
	names: []spelling{
		{"patch.{p}", []string{"embeddings.patch_embeddings.projection.{p}"}},
		{"cls", []string{"embeddings.cls_token"}},
		{"pos", []string{"embeddings.position_embeddings"}},
		{"blocks.{i}.norm1.{p}", []string{"encoder.layer.{i}.layernorm_before.{p}"}},
		{"blocks.{i}.qkv.{p}", []string{
			"encoder.layer.{i}.attention.attention.query.{p}",
			"encoder.layer.{i}.attention.attention.key.{p}",
			"encoder.layer.{i}.attention.attention.value.{p}",
		}},
		{"blocks.{i}.proj.{p}", []string{"encoder.layer.{i}.attention.output.dense.{p}"}},
		{"blocks.{i}.norm2.{p}", []string{"encoder.layer.{i}.layernorm_after.{p}"}},
		{"blocks.{i}.fc1.{p}", []string{"encoder.layer.{i}.intermediate.dense.{p}"}},
		{"blocks.{i}.fc2.{p}", []string{"encoder.layer.{i}.output.dense.{p}"}},
		{"norm.{p}", []string{"layernorm.{p}"}},
		{"head.{p}", []string{"^classifier.{p}"}},
	},
	ignored: []string{"pooler.dense.", "embeddings.mask_token"},
	refused: []refusal{
		{"embeddings.distillation_token", "a distilled DeiT has a second class token, which is not supported: use the checkpoint without \"distilled\" in its name"},
		{"embeddings.register_tokens", "register tokens (DINOv2) are not supported"},
		{"decoder.", "the decoder of masked pretraining is not supported: save the ViTModel alone"},
	},
	defaults: defaults{
		// preprocessor_config.json of google/vit-base-patch16-224: the whole
		// image to 224, mean and std 0.5.
		preprocess: Preprocess{half, 1},
		note: "Hugging Face's names: mean and std of 0.5 assumed, as google's models want; " +
			"facebook/dino-* have the same names and want --normalize imagenet",
		// ViTEmbeddings.interpolate_pos_encoding with an explicit size.
		resample: resampling{a: -0.75},
	},
}
