package model

import (
	"graft/finetune/internal/runtest"
	"graft/finetune/run"
	"graft/pretrained"
	"testing"
)

func TestForeignIsReadBackFromTheRecord(t *testing.T) {
	want := pretrained.Foreign{InputSize: 8, CropPct: 0.9, Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{0.25, 1, 0.333}, Output: "embedding"}
	line := `on the host: 8-bit bilinear to 8, crop 0.9, 3 channels; mean [0.1 0.2 0.3]; std [0.25 1 0.333]; output embedding, pooling ""`
	got, err := parseForeign(line)
	if err != nil || *got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	_, err = parseForeign("on the host: otherwise")
	runtest.WantError(t, err, "otherwise")
	r := &run.Run{Config: run.Config{Backbone: run.BackboneRecord{Preprocessing: line}}}
	other := want
	other.Std[1] = 0.5
	_, err = Foreign(r, &other)
	runtest.WantError(t, err, "differ", line)
	for _, given := range []*pretrained.Foreign{nil, &want, {Mean: want.Mean, Std: want.Std, CropPct: want.CropPct}} {
		if got, err := Foreign(r, given); err != nil || *got != want {
			t.Errorf("given %+v: got %+v (%v), want %+v", given, got, err, want)
		}
	}
}
