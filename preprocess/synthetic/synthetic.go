// Package synthetic draws 48×48 gray faces in seven expressions: a data set
// that needs no download, in the shape of FER2013. It also draws other things, from
// which a network can learn before it sees expressions, and what stands for
// photographs in measurements.
//
// A face is a handful of shapes in a coordinate system of its own: head, hair,
// brows, eyes, nose, mouth. The expression moves brows, lids and mouth, to a
// degree that is drawn at random; pose, light, skin, hair, glasses, beard,
// occlusion, blur and noise are drawn at random too and say nothing about the
// class. Recognising the expression therefore takes features that move with
// the face: a linear model on raw pixels does badly.
package synthetic

import "graft/preprocess"

// side is the width and height of the drawings in pixels.
const side = 48

// The labels that are asked for by name: FER2013's.
const (
	angry = iota
	disgust
	fear
	happy
	sad
	surprise
	neutral
)

// Face draws one face, [1,48,48], with the expression of FER2013's label, 0 (angry) to
// 6 (neutral). The same seed, stream and label give the same face on any machine of
// one architecture (others may fuse
// floating-point operations and differ in a rounding), whatever the version of
// Go. A stream is a person in a pose, drawn in any of the expressions; different
// streams are independent. A label out of range draws a neutral face.
func Face(seed, stream uint64, label int) preprocess.Image {
	d := newDice(seed, stream)
	expression := expressionOf(d, label)
	return portrait(d, expression, personOf(d))
}

// portrait draws a person with an expression, in a pose and a light that are drawn at random.
func portrait(d dice, expression expression, person person) preprocess.Image {
	c := newCanvas(poseOf(d))
	c.background(d)
	c.head(person)
	c.eyes(person, expression)
	c.brows(person, expression)
	c.nose(person, expression)
	c.mouth(person, expression)
	c.extras(d, person)
	c.light(d)
	c.occlude(d)
	return c.expose(d)
}
