package duplicate

import (
	"math/bits"
	"slices"

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

// joinNear joins the near duplicates among the rows, whose prints all differ.
func (s sets) joinNear(images []Content, rows []int) {
	check := sketches(images, rows, words)
	n := len(rows)
	entries := make([]uint64, 2*n) // a band's bits, and the place: rows, and from n on their mirror images
	for w := range words {
		sketch := sketches(images, rows, w)
		for b := range perWord {
			for i, v := range sketch {
				entries[i] = v>>(b*bandBits)&(1<<bandBits-1)<<32 | uint64(i)
			}
			slices.Sort(entries)
			for from := 0; from < len(entries); {
				to := from + 1
				for to < len(entries) && entries[to]>>32 == entries[from]>>32 {
					to++
				}
				s.joinBand(images, rows, check, entries[from:to])
				from = to
			}
		}
	}
}

// joinBand compares the pairs of one band. A pair of mirror images is left to that of
// their originals.
func (s sets) joinBand(images []Content, rows []int, check []uint64, band []uint64) {
	n := uint32(len(rows))
	for at, e := range band {
		i := uint32(e)
		if i >= n {
			break // places rise: only mirror images follow
		}
		a := &images[rows[i]].Print
		for _, f := range band[at+1:] {
			j := uint32(f)
			if bits.OnesCount64(check[i]^check[j]) > checkBits || j == i+n {
				continue
			}
			other := images[rows[j%n]].Print
			if j >= n {
				other = other.Mirror()
			}
			if a.near(&other) {
				s.join(rows[i], rows[j%n])
			}
		}
	}
}

// sketches are word w of the sketches of all rows, then of their mirror images.
func sketches(images []Content, rows []int, w int) []uint64 {
	var signs [2]uint64
	for k := range signs {
		signs[k] = splitmix.Next(uint64(2*w+k) * splitmix.Gamma)
	}
	out := make([]uint64, 2*len(rows))
	for k, r := range rows {
		p := images[r].Print
		out[k], out[len(rows)+k] = sketch(p, signs), sketch(p.Mirror(), signs)
	}
	return out
}

// sketch is the signs of 64 projections of p on pseudo-random directions: twice
// random signs and the Walsh-Hadamard transform (Ailon and Chazelle, "The fast
// Johnson-Lindenstrauss transform", 2009), in 768 additions.
func sketch(p Print, signs [2]uint64) (word uint64) {
	var x [len(p)]int32
	for i, v := range p {
		x[i] = int32(v)
	}
	for _, sign := range signs {
		for i := range x {
			if sign>>i&1 == 1 {
				x[i] = -x[i]
			}
		}
		for h := 1; h < len(x); h *= 2 {
			for i := 0; i < len(x); i += 2 * h {
				for j := i; j < i+h; j++ {
					x[j], x[j+h] = x[j]+x[j+h], x[j]-x[j+h]
				}
			}
		}
	}
	for i, v := range x {
		if v > 0 {
			word |= 1 << i
		}
	}
	return word
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
