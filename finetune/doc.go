// Package finetune trains classifiers and keeps each result in a run folder: heads on the features of a frozen backbone, and
// the networks of package nets on images.
//
//	config.json              every setting, seeds, hashes of the inputs, versions
//	model.safetensors        the weights by the names of package nets: PyTorch's names and layouts
//	last.safetensors         the last weights, where the best ones of a hold-out were kept
//	history.csv              epoch, train loss, validation loss and accuracy, seconds
//	metrics.json             one report for each split that was not trained on
//	predictions-<split>.csv  index, id, label, predicted class, probability of each class
//	checkpoint.safetensors   only while a training by gradient descent is under way: it goes on from there
//
// TrainHead makes a run from an embedding store, TrainNet from a dataset, Import from a PyTorch checkpoint. Evaluate judges a
// run on further splits or straight from images, EvaluateNearest a store without training anything, Compare puts several
// runs into one table, a Predictor classifies image files, and Export writes one ONNX file from pixels to probabilities.
package finetune
