package duplicate

import (
	"math/bits"
	"runtime"
	"slices"

	"graft/internal/parallel"
	"graft/internal/splitmix"
)

// Groups gives each image the number of its group: the place of the group's first
// image. Images of equal keys, near duplicates and those of one group of the user's
// share a group, and so do those that are joined by others between them.
//
// Prints are compared where a part of their sketches agrees, not all with all: of
// a million images some hundred million pairs are looked at. See sketch for how
// sure a pair is to be found.
func Groups(images []Content) []int {
	s := newSets(len(images))
	keys, prints, names := map[Key]int{}, map[Print]int{}, map[string]int{}
	var rows []int // with a print that no earlier row has
	for i, c := range images {
		if first, seen := names[c.Group]; seen {
			s.join(i, first)
		} else if c.Group != "" {
			names[c.Group] = i
		}
		if !c.Known() {
			continue
		}
		if first, seen := keys[c.Key]; seen {
			s.join(i, first)
			continue
		}
		keys[c.Key] = i
		if c.Print == (Print{}) {
			continue
		}
		if first, seen := prints[c.Print]; seen {
			s.join(i, first)
			continue
		}
		prints[c.Print] = i
		rows = append(rows, i)
	}
	s.joinNear(images, rows)
	for i := range s {
		s[i] = s.first(i)
	}
	return s
}

// A sketch is bits of the signs of random projections: two prints at an angle α
// differ in α/180° of them (Charikar, "Similarity estimation techniques from
// rounding algorithms", 2002). At the least cosine, 12.8°, that is 7%, so a band of
// 20 bits is equal for 23 pairs of 100, and one of 24 bands for 998 of 1,000; of
// the pairs of FER2013, most of which are nearer, all were found that comparing all
// with all finds.
const (
	words    = 8
	perWord  = 3 // bands of a word
	bandBits = 20
	// checkBits bounds the bits of one more word in which a pair may differ to be
	// compared at all: five standard deviations above near duplicates' 4.6.
	checkBits = 16
)

// nearness is what finds the near duplicates among rows whose prints all differ. Rows
// are told by their places in it, and from n on their mirror images.
type nearness struct {
	images []Content
	rows   []int
	norms  []int64  // squared lengths of the prints
	check  []uint64 // the sketches' last word
}

// joinNear joins the near duplicates among the rows, on all cores: each takes some of
// the words and joins for itself, so that no pair need be kept.
func (s sets) joinNear(images []Content, rows []int) {
	b := nearness{images, rows, make([]int64, len(rows)), sketches(images, rows, words)}
	for k, r := range rows {
		b.norms[k] = images[r].Print.dot(&images[r].Print)
	}
	cores := min(runtime.GOMAXPROCS(0), words)
	joined := make([]sets, cores)
	parallel.Parts(words, cores, func(part, from, to int) {
		joined[part] = newSets(len(rows))
		for w := from; w < to; w++ {
			b.joinWord(joined[part], w)
		}
	})
	for _, found := range joined {
		for k, r := range rows {
			s.join(r, rows[found.first(k)])
		}
	}
}

// joinWord joins in s what the bands of a word find.
func (b *nearness) joinWord(s sets, w int) {
	sketch := sketches(b.images, b.rows, w)
	entries := make([]uint64, len(sketch)) // a band's bits, and the place
	for band := range perWord {
		for i, v := range sketch {
			entries[i] = v>>(band*bandBits)&(1<<bandBits-1)<<32 | uint64(i)
		}
		slices.Sort(entries)
		for from := 0; from < len(entries); {
			to := from + 1
			for to < len(entries) && entries[to]>>32 == entries[from]>>32 {
				to++
			}
			b.joinBand(s, entries[from:to])
			from = to
		}
	}
}

// joinBand compares the pairs of one band that are not joined yet. A pair of mirror
// images is left to that of their originals.
func (b *nearness) joinBand(s sets, band []uint64) {
	n := uint32(len(b.rows))
	for at, e := range band {
		i := uint32(e)
		if i >= n {
			break // places rise: only mirror images follow
		}
		for _, f := range band[at+1:] {
			j := uint32(f)
			if bits.OnesCount64(b.check[i]^b.check[j]) > checkBits || s.first(int(i)) == s.first(int(j%n)) {
				continue
			}
			if b.near(i, j) {
				s.join(int(i), int(j%n))
			}
		}
	}
}

// near compares exactly, in integers.
func (b *nearness) near(i, j uint32) bool {
	n := uint32(len(b.rows))
	d, mirrored := b.images[b.rows[i]].Print.dots(&b.images[b.rows[j%n]].Print)
	if j >= n {
		d = mirrored
	}
	return d > 0 && d*d*1000*1000 >= Near*Near*b.norms[i]*b.norms[j%n]
}

// sketches are word w of the sketches of all rows, then of their mirror images.
func sketches(images []Content, rows []int, w int) []uint64 {
	var signs [2][len(Print{})]int64 // 0, or -1 to change the sign
	for k := range signs {
		bits := splitmix.Next(uint64(2*w+k) * splitmix.Gamma)
		for i := range signs[k] {
			signs[k][i] = -int64(bits >> i & 1)
		}
	}
	out := make([]uint64, 2*len(rows))
	for k, r := range rows {
		p := &images[r].Print
		mirror := p.Mirror()
		out[k], out[len(rows)+k] = sketch(p, &mirror, &signs)
	}
	return out
}

// sketch is the signs of 64 projections of p, and of q, on pseudo-random directions: twice random signs and the
// Walsh-Hadamard transform (Ailon and Chazelle, "The fast Johnson-Lindenstrauss transform", 2009), in 768 additions.
// Being linear, it takes both at once, as p + 2³²·q: no projection is above 2¹⁹.
func sketch(p, q *Print, signs *[2][len(Print{})]int64) (ofP, ofQ uint64) {
	const n = len(Print{})
	var x, y [n]int64
	for i, v := range p {
		x[i] = int64(v) + int64(q[i])<<32
	}
	for _, sign := range signs {
		for i, change := range sign {
			x[i] = (x[i] ^ change) - change
		}
		for range 3 { // each two of the six steps, which all lie alike (Pease 1968)
			step(&y, &x)
			step(&x, &y)
		}
	}
	for i, v := range x {
		low := int64(int32(v))
		ofP |= uint64(-low) >> 63 << i // 1 where it is positive
		ofQ |= uint64(low-v) >> 63 << i
	}
	return ofP, ofQ
}

// step is a sixth of the transform: sums and differences of neighbours.
func step(to, from *[len(Print{})]int64) {
	const half = len(from) / 2
	for i := range half {
		a, b := from[2*i], from[2*i+1]
		to[i], to[i+half] = a+b, a-b
	}
}

// sets are disjoint sets of the numbers below their length: of each number another
// of its set, nearer to the set's lowest, which has itself.
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (s sets) first(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(i, j int) {
	a, b := s.first(i), s.first(j)
	s[max(a, b)] = min(a, b)
}

// Seen tells of each image whether it, or a near duplicate, is among earlier ones. It
// also gives the groups that the images make, those of equal earlier ones joined.
func Seen(images, earlier []Content) (seen []bool, group []int) {
	n := len(images)
	all := Groups(append(slices.Clone(images), earlier...))
	old := map[int]bool{}
	for _, g := range all[n:] {
		old[g] = true
	}
	seen = make([]bool, n)
	for i, g := range all[:n] {
		seen[i] = old[g]
	}
	return seen, all[:n]
}
