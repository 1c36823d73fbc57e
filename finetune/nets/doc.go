// Package nets holds the models that graft trains: the study's convolutional network and a stronger residual family
// ([CNN]), the study's shallow vision transformer and what the paper has beyond it ([ViT]), and the classifier on a
// backbone's features ([Head]).
//
// A model is a struct of options. It lists its weights with names and shapes in PyTorch's layouts, and builds its forward
// pass on package graph; both follow from the options, which are stored as JSON in a run's config.json. [Init] draws the
// first weights, [Load] reads them from a checkpoint, strictly by name, and [Declare] makes them parameters of a graph:
//
//	net := nets.StudyCNN(7)
//	g := graph.New()
//	x := g.Input("x", 32, 1, 32, 32)
//	w, err := nets.Declare(g, net, nets.Init(net, seed))
//	logits := net.Forward(g, x, w, nets.Mode{Train: true, Step: step})
//
// [Layers] derives the table of layers, output shapes, parameters and multiply-accumulates from the forward pass itself.
package nets
