package main

import "graft/finetune/nets"

// networkOption is an option of package nets: its name in JSON, a value of its
// type, and what it does.
type networkOption struct {
	name  string
	zero  any
	usage string
}

var networkOptions = map[string][]networkOption{
	nets.KindCNN: {
		{"arch", "", "`NAME`: study or residual"},
		{"side", 0, "the network's input in `PIXELS` a side"},
		{"channels", 0, "of the images: `N`, 1 or 3"},
		{"stem", 0, "residual: channels of the first convolution: `N`"},
		{"stages", []int{}, "residual: channels of each stage: `N,N,…`"},
		{"blocks", 0, "residual: blocks of each stage: `N`"},
		{"squeeze", 0, "residual: squeeze-and-excitation by `N` (0: none)"},
		{"dropout", 0.0, "residual: `P` before the last layer"},
		{"standardize", false, "bring each image to mean 0 and variance 1"},
	},
	nets.KindViT: {
		{"side", 0, "the network's input in `PIXELS` a side"},
		{"channels", 0, "of the images: `N`, 1 or 3"},
		{"patch", 0, "`PIXELS` a side of a patch (after the stem)"},
		{"width", 0, "of the tokens: `N`"},
		{"depth", 0, "times that a block is applied: `N`"},
		{"heads", 0, "of attention: `N`"},
		{"mlp", 0, "width of a block's perceptron: `N` (0: none)"},
		{"tied", false, "one block for all depths"},
		{"projection", false, "a linear layer after the heads"},
		{"spare_token", false, "keep a class token that is not used, as the study's checkpoints have it"},
		{"norm", "", "`WORD`: post (the study's) or pre"},
		{"pool", "", "what the logits read: `WORD`: flatten (the study's), class or mean"},
		{"init", "", "first weights: `WORD`: study or sane"},
		{"stem", []int{}, "channels of convolutions that halve the image first: `N,N,…`"},
		{"dropout", 0.0, "`P` of each branch"},
		{"standardize", false, "bring each image to mean 0 and variance 1"},
	},
	nets.KindHead: {
		{"hidden", 0, "width of a hidden layer: `N` (0: none)"},
		{"dropout_in", 0.0, "`P` of the features"},
		{"dropout", 0.0, "`P` of the hidden layer"},
		{"members", 0, "networks of their own, logits averaged: `N`"},
		{"standardize", false, "bring each feature to mean 0 and variance 1"},
	},
}
