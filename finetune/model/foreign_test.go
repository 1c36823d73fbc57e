package model

import (
	"encoding/json"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/run"
	"graft/preprocess"
)

func TestForeignIsReadBackFromTheRecord(t *testing.T) {
	want := preprocess.Spec{Host: true, Size: 8, Filter: "bilinear", Crop: 0.9, Channels: 3, Output: "embedding",
		Normalization: preprocess.Normalization{Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{0.25, 1, 0.333}}}
	r := &run.Run{}
	// As runs recorded it before they held the Spec itself.
	line := `{"preprocessing": "on the host: 8-bit bilinear to 8, crop 0.9, 3 channels; mean [0.1 0.2 0.3]; std [0.25 1 0.333]; output embedding, pooling \"\""}`
	if err := json.Unmarshal([]byte(line), &r.Config.Backbone); err != nil || r.Config.Backbone.Preprocessing != want {
		t.Fatalf("got %+v (%v), want %+v", r.Config.Backbone.Preprocessing, err, want)
	}
	other := want
	other.Std[1] = 0.5
	_, err := Foreign(r, &other)
	runtest.WantError(t, err, "differ", want.String())
	for _, given := range []*preprocess.Spec{nil, &want, {Normalization: want.Normalization, Crop: want.Crop}} {
		if got, err := Foreign(r, given); err != nil || *got != want {
			t.Errorf("given %+v: got %+v (%v), want %+v", given, got, err, want)
		}
	}
}
