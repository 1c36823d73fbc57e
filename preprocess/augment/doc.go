// Package augment changes training images at random: flips, shift, rotation, scale and crop (one affine map, sampled
// bilinearly), brightness and contrast, Gaussian noise, cutout, and mixup of a batch's images and soft labels. Images are
// float32 [C,H,W] in 0…1.
//
// A [Pipeline] is a value with a text form such as "hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2". The order
// of words does not matter: the steps are always done in the order in which they are listed above.
//
// An [Augmenter] applies a pipeline to batches on several threads. What happens to an image depends on the seed, the epoch
// and the image's index alone, whatever the number of threads or the batch it is in; for mixup, the image that it is
// mixed with is drawn from its batch.
package augment
