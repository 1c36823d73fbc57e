package duplicate_test

import (
	"context"
	"os"
	"testing"

	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// TestRealFER2013 counts what the published files hold twice, against counts of the
// SHA-1 of the CSV's pixel column, and compares the near duplicates with those that
// comparing every twentieth print with all finds. GRAFT_FER2013 names fer2013.tar.gz.
func TestRealFER2013(t *testing.T) {
	path := os.Getenv("GRAFT_FER2013")
	if path == "" {
		t.Skip("GRAFT_FER2013 does not name fer2013.tar.gz: the published data is not checked")
	}
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	images := make([]duplicate.Content, len(d.Samples))
	first := map[duplicate.Key]int{}
	for i := range images {
		im, err := d.Image(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		images[i] = duplicate.Of(im)
		if _, seen := first[images[i].Key]; !seen {
			first[images[i].Key] = i
		}
	}
	copies := map[string]int{} // rows equal to one of train that comes before them
	for i, c := range images {
		if first[c.Key] != i && d.Samples[first[c.Key]].Split == dataset.Train {
			copies[d.Samples[i].Split]++
		}
	}
	if len(first) != 34034 || copies[dataset.PublicTest] != 280 || copies[dataset.PrivateTest] != 288 || copies[dataset.Train] != 1236 {
		t.Errorf("%d distinct images, %v equal to one of train", len(first), copies)
	}
	group := duplicate.Groups(images)
	pairs, lost := 0, 0
	for i := 0; i < len(images); i += 20 {
		for j := range images {
			if images[i].Key == images[j].Key {
				continue
			}
			cos := max(images[i].Print.Cosine(images[j].Print), images[i].Print.Mirror().Cosine(images[j].Print))
			if cos < duplicate.Near/1000.0 {
				continue
			}
			if pairs++; group[i] != group[j] {
				lost++
			}
		}
	}
	t.Logf("%d pairs of near duplicates, %d of them in two groups", pairs, lost)
	if lost > 0 {
		t.Errorf("%d of %d pairs are not joined", lost, pairs)
	}
}
