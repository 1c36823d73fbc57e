package main

import "testing"

func TestParseBatch(t *testing.T) {
	for word, want := range map[string]int{"auto": 0, "1": 1, "64": 64, "0": -1, "-3": -1, "many": -1, "": -1} {
		got, err := parseBatch(word)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("--batch %q: %d, %v; want %d", word, got, err, want)
		}
	}
}
