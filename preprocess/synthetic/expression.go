package synthetic

// expression is what it does to a face, in units of the face: the head is
// two high, x grows to the right and y downward. Zero is a neutral face; the
// terms follow Ekman and Friesen's action units (AU).
type expression struct {
	browInner, browOuter float64 // ends of the brows raised (AU 1, 2) or lowered (AU 4)
	browArch             float64 // middle of the brows above the line of their ends
	browClose            float64 // inner ends drawn together
	eyeOpen              float64 // height of the eye's opening, 1 at rest (AU 5)
	squint               float64 // lower lid raised, 0 to 1 (AU 6, 7)
	lidSlope             float64 // outer corner of the upper lid hangs
	mouthWide            float64 // half width of the mouth
	corner               float64 // corners of the mouth raised (AU 12) or lowered (AU 15)
	openTop, openBottom  float64 // lips parted, above and below the line of the mouth (AU 25, 26)
	lipRaise             float64 // middle of the upper lip raised (AU 10)
	teeth                float64 // share of the opening that shows teeth
	noseWrinkle          float64 // 0 to 1 (AU 9)
	cheeks               float64 // folds beside the mouth, 0 to 1
}

// atRest is the neutral face.
var atRest = expression{eyeOpen: 1, mouthWide: 0.27, browArch: 0.03}

// expressions are the full expressions, by label.
var expressions = [...]expression{
	angry: {browInner: -0.15, browOuter: 0.07, browClose: 0.08, eyeOpen: 0.9, squint: 0.25, mouthWide: 0.25,
		corner: -0.05, openTop: 0.01, openBottom: 0.02, teeth: 0.5, cheeks: 0.2},
	disgust: {browInner: -0.08, browOuter: -0.05, browClose: 0.05, eyeOpen: 0.55, squint: 0.6, mouthWide: 0.24,
		corner: -0.09, openTop: 0.03, openBottom: 0.03, lipRaise: 0.13, teeth: 0.4, noseWrinkle: 1, cheeks: 0.9},
	fear: {browInner: 0.17, browOuter: 0.0, browArch: 0.0, browClose: 0.06, eyeOpen: 1.65, mouthWide: 0.33,
		corner: -0.07, openTop: 0.04, openBottom: 0.10, teeth: 0.35},
	happy: {browInner: 0.02, browOuter: 0.03, browArch: 0.06, eyeOpen: 0.75, squint: 0.5, mouthWide: 0.38,
		corner: 0.15, openTop: 0.0, openBottom: 0.13, teeth: 0.75, cheeks: 0.6},
	sad: {browInner: 0.13, browOuter: -0.09, browClose: 0.03, eyeOpen: 0.6, lidSlope: 0.07, mouthWide: 0.23,
		corner: -0.14, lipRaise: 0.02},
	surprise: {browInner: 0.17, browOuter: 0.15, browArch: 0.13, eyeOpen: 1.7, mouthWide: 0.16,
		openTop: 0.10, openBottom: 0.22},
	neutral: atRest,
}

// expressionOf is an expression of random degree with some play in every part. Lips
// may stay closed where the emotion allows it.
func expressionOf(d dice, label int) expression {
	full := atRest
	if label >= 0 && label < len(expressions) {
		full = expressions[label]
	}
	closed := d.chance(0.4) // drawn for all: one stream is one person in every expression
	if closed && (label == happy || label == angry || label == disgust) {
		full.openTop, full.openBottom, full.teeth = 0, 0, 0
	}
	degree := d.uniform(0.6, 1.1)
	mix := func(from, to, play float64) float64 { return from + (to-from)*degree + d.normal(play) }
	n := atRest
	return expression{
		browInner: mix(n.browInner, full.browInner, 0.02), browOuter: mix(n.browOuter, full.browOuter, 0.02),
		browArch: mix(n.browArch, full.browArch, 0.015), browClose: mix(0, full.browClose, 0.01),
		eyeOpen: max(mix(n.eyeOpen, full.eyeOpen, 0.08), 0.25), squint: mix(0, full.squint, 0.05),
		lidSlope: mix(0, full.lidSlope, 0.01), mouthWide: mix(n.mouthWide, full.mouthWide, 0.015),
		corner: mix(0, full.corner, 0.015), openTop: max(mix(0, full.openTop, 0.005), 0),
		openBottom: max(mix(0, full.openBottom, 0.008), 0), lipRaise: max(mix(0, full.lipRaise, 0.008), 0),
		teeth: full.teeth, noseWrinkle: mix(0, full.noseWrinkle, 0), cheeks: max(mix(0, full.cheeks, 0.08), 0),
	}
}

// person is what tells people apart, with no bearing on the expression. Tones are
// brightness from 0 to 1.
type person struct {
	skin, hair, brow, iris   float64
	headWide, headHigh, jaw  float64 // half axes of the head; jaw narrows its lower half
	eyeApart, eyeSize, eyeAt float64
	browThick, browAt        float64
	noseLong, noseWide       float64
	mouthAt, lipThick        float64
	hairLine, hairWide       float64
	longHair, bald           bool
	glasses, beard, mustache bool
}

func personOf(d dice) person {
	skin := d.uniform(0.42, 0.9)
	hair := d.uniform(0.04, 0.4)
	if d.chance(0.2) {
		hair = d.uniform(0.5, 0.85) // fair or gray
	}
	return person{
		skin: skin, hair: hair, brow: min(hair, skin-0.2) * d.uniform(0.5, 1), iris: d.uniform(0.02, 0.25),
		headWide: d.uniform(0.64, 0.78), headHigh: d.uniform(0.9, 1.0), jaw: d.uniform(0.0, 0.28),
		eyeApart: d.uniform(0.27, 0.34), eyeSize: d.uniform(0.115, 0.145), eyeAt: d.uniform(-0.17, -0.07),
		browThick: d.uniform(0.028, 0.06), browAt: d.uniform(0.22, 0.27),
		noseLong: d.uniform(0.24, 0.34), noseWide: d.uniform(0.08, 0.14),
		mouthAt: d.uniform(0.44, 0.52), lipThick: d.uniform(0.022, 0.045),
		hairLine: d.uniform(-0.72, -0.5), hairWide: d.uniform(0.04, 0.16),
		longHair: d.chance(0.35), bald: d.chance(0.12),
		glasses: d.chance(0.12), beard: d.chance(0.12), mustache: d.chance(0.08),
	}
}
