package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Part is one process's share of a store's shards: of N processes, which need not
// know of each other, process I (from 0) makes the shards whose number leaves the
// rest I when divided by N. The zero Part is all shards.
type Part struct{ I, N int }

// ParsePart reads "I/N", such as 0/4 to 3/4; "" is all shards.
func ParsePart(s string) (Part, error) {
	if s == "" {
		return Part{}, nil
	}
	i, n, ok := strings.Cut(s, "/")
	var p Part
	var err1, err2 error
	p.I, err1 = strconv.Atoi(i)
	p.N, err2 = strconv.Atoi(n)
	if !ok || err1 != nil || err2 != nil || p.N < 1 || p.I < 0 || p.I >= p.N {
		return Part{}, fmt.Errorf("%q is no part I/N; I counts from 0, so the parts of four are 0/4, 1/4, 2/4 and 3/4", s)
	}
	return p, nil
}

// String is what ParsePart reads; all shards are 0/1.
func (p Part) String() string { return fmt.Sprintf("%d/%d", p.I, max(p.N, 1)) }

// Whole tells whether the part is all shards.
func (p Part) Whole() bool { return p.N <= 1 }

// Of is the part of as many that makes a shard.
func (p Part) Of(shard int) Part { return Part{shard % max(p.N, 1), max(p.N, 1)} }

func (p Part) has(shard int) bool { return p.Of(shard).I == p.I }
