// Package synthetic draws 48×48 gray faces in seven expressions: a data set
// that needs no download, in the shape of FER2013. It also draws what stands for
// photographs in measurements.
//
// A face is a handful of shapes in a coordinate system of its own: head, hair,
// brows, eyes, nose, mouth. The expression moves brows, lids and mouth, to a
// degree that is drawn at random; pose, light, skin, hair, glasses, beard,
// occlusion, blur and noise are drawn at random too and say nothing about the
// class. Recognising the expression therefore takes features that move with
// the face: a linear model on raw pixels does badly.
package synthetic

import (
	"graft/preprocess"
)

// Side is the width and height of the drawings in pixels.
const Side = 48

// Emotion is an expression, numbered as FER2013 numbers its labels.
type Emotion int

// The expressions.
const (
	Angry Emotion = iota
	Disgust
	Fear
	Happy
	Sad
	Surprise
	Neutral
)

// Face draws one face, [1,Side,Side]. The same seed, stream and emotion give
// the same face on any machine of one architecture (others may fuse
// floating-point operations and differ in a rounding), whatever the version of
// Go. A stream is a person in a pose, drawn in any of the expressions; different
// streams are independent. An emotion out of range draws a
// neutral face.
func Face(seed, stream uint64, e Emotion) preprocess.Image {
	d := newDice(seed, stream)
	mood := moodOf(d, e)
	look := lookOf(d)
	c := newCanvas(poseOf(d))
	c.background(d)
	c.head(look)
	c.eyes(look, mood)
	c.brows(look, mood)
	c.nose(look, mood)
	c.mouth(look, mood)
	c.extras(d, look)
	c.light(d)
	c.occlude(d)
	return c.expose(d)
}
