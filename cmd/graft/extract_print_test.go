package main

import (
	"strings"
	"testing"

	"graft/pretrained/store"
)

func TestMissingPartsComeInOrder(t *testing.T) {
	var out strings.Builder
	printState(&out, store.State{Shards: 30, Missing: []int{2, 10, 14, 22}}, store.Part{I: 0, N: 12})
	if want := "part 0/12 is done; the store still lacks 4 of 30 shards (2, 10, 14, 22), of the parts 2/12, 10/12\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
