package dataset

import (
	"os"
	"slices"
	"testing"
)

// TestRealFER2013 reads the published files, which are not part of the project:
// GRAFT_FER2013 names fer2013.tar.gz (or its CSV in another form), GRAFT_FERPLUS
// fer2013new.csv.
func TestRealFER2013(t *testing.T) {
	path := os.Getenv("GRAFT_FER2013")
	if path == "" {
		t.Skip("GRAFT_FER2013 does not name fer2013.tar.gz: the published data is not checked")
	}
	d := mustOpen(t, path, Ref{FERPlus: os.Getenv("GRAFT_FERPLUS")})
	if len(d.Warnings) != 0 || len(d.Bad) != 0 {
		t.Errorf("warnings %q, bad entries %v", d.Warnings, d.Bad)
	}
	// Counted with pandas.
	want := map[string][]int{
		"train":        {3995, 436, 4097, 7215, 4830, 3171, 4965},
		"public-test":  {467, 56, 496, 895, 653, 415, 607},
		"private-test": {491, 55, 528, 879, 594, 416, 626},
	}
	info := d.Info()
	for split, counts := range want {
		var got []int
		for _, c := range d.Classes {
			got = append(got, info.Splits[split].Classes[c])
		}
		if !slices.Equal(got, counts) {
			t.Errorf("%s holds %v, want %v", split, got, counts)
		}
	}
	const print = "sha256:9dd473bbcebb113d150157c8f87f1a04a73743d87d5196da14b8a54f1c2cef49"
	if got := fingerprint(t, d); !info.FERPlus && got != print {
		t.Errorf("fingerprint %s, want %s", got, print)
	}
	im, err := d.Image(t.Context(), 0)
	if err != nil || !slices.Equal(im.Pix[:6], []uint8{70, 80, 82, 72, 58, 58}) {
		t.Errorf("first face begins with %v, %v", im.Pix[:6], err)
	}
}
