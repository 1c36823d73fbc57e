package dataset

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"

	"graft/preprocess/synthetic"
)

// Things have their own classes, keep the test images when there are more to train on, and can be written as a folder
// of images but not as FER2013's CSV, whose classes are others.
func TestThings(t *testing.T) {
	ctx := context.Background()
	few, more := openThings(t, 2), openThings(t, 3)
	if few.Kind != ThingsPath || few.Photos() || !slices.Equal(few.Classes, synthetic.ThingClasses()) || !slices.Equal(few.Splits, FERSplits) {
		t.Fatalf("kind %s, photos %v, %d classes, splits %v", few.Kind, few.Photos(), len(few.Classes), few.Splits)
	}
	n := len(few.Classes)
	if len(few.Samples) != (2+4+4)*n || len(more.Samples) != (3+4+4)*n || few.Samples[n+5].Label != 5 {
		t.Fatalf("%d and %d samples, sample %d of label %d", len(few.Samples), len(more.Samples), n+5, few.Samples[n+5].Label)
	}
	a, err := few.Image(ctx, 2*n)
	if err != nil {
		t.Fatal(err)
	}
	b, err := more.Image(ctx, 3*n)
	if err != nil || !bytes.Equal(a.Pix, b.Pix) {
		t.Errorf("the first test image depends on the number of training images (%v)", err)
	}
	_, err = Open(ctx, Ref{Path: ThingsPath, FERPlus: "votes.csv"}, nil)
	wantError(t, err, "FER+")
	_, err = Open(ctx, Ref{Path: "synthetic:other"}, nil)
	wantError(t, err, "synthetic:other", ThingsPath)
	wantError(t, Convert(ctx, few, filepath.Join(t.TempDir(), "things.csv"), nil), "to a folder instead")
}

func openThings(t *testing.T, perClass int) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), Ref{Path: ThingsPath, Seed: 4, PerClass: perClass}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
