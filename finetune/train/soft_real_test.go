package train

import (
	"context"
	"math"
	"os"
	"testing"

	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// TestSoftTargetsOfRealVotes mixes the published votes, which are not part of the project: GRAFT_FER2013 names
// fer2013.tar.gz (or its CSV in another form), GRAFT_FERPLUS fer2013new.csv. The sums were counted with numpy.
func TestSoftTargetsOfRealVotes(t *testing.T) {
	faces, votes := os.Getenv("GRAFT_FER2013"), os.Getenv("GRAFT_FERPLUS")
	if faces == "" || votes == "" {
		t.Skip("GRAFT_FER2013 and GRAFT_FERPLUS do not name fer2013.tar.gz and fer2013new.csv: soft labels of the published votes are not checked")
	}
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: faces, FERPlus: votes}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	indices, err := d.Select([]string{dataset.Train}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var f run.Rows
	for _, i := range indices {
		f.Indices, f.Labels, f.IDs = append(f.Indices, i), append(f.Labels, d.Samples[i].Label), append(f.IDs, d.Samples[i].ID)
	}
	targets, err := softTargets(d, f, 1)
	if err != nil {
		t.Fatal(err)
	}
	sums, agree := make([]float64, len(d.Classes)), 0.0
	for i, v := range targets {
		sums[i%len(sums)] += float64(v)
		if i%len(sums) == f.Labels[i/len(sums)] {
			agree += float64(v)
		}
	}
	for c, want := range []float64{2481.932, 502.452, 1047.599, 7538.745, 4249.034, 3484.819, 9404.419} {
		if !(math.Abs(sums[c]-want) <= 0.01) {
			t.Errorf("votes for %s sum up to %.3f, want %.3f", d.Classes[c], sums[c], want)
		}
	}
	if share := agree / float64(len(indices)); !(math.Abs(share-0.584781) <= 1e-5) {
		t.Errorf("%.6f of the votes agree with the labels, want 0.584781", share)
	}
}
