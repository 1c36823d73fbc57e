package model

import (
	"cmp"
	"fmt"

	"graft/finetune/run"
	"graft/preprocess"
	"graft/pretrained"
)

// Foreign is the description of the run's backbone: nil for one that graft
// exported, and the recorded one for others, so that predict and export need not be
// told again. What was given must not say otherwise: other pixels than the head was
// trained on would still give answers.
func Foreign(r *run.Run, given *preprocess.Spec) (*preprocess.Spec, error) {
	recorded := r.Config.Backbone.Preprocessing
	if !recorded.Host {
		if given != nil {
			return nil, fmt.Errorf("the run's backbone: %w", pretrained.ErrDescribed)
		}
		return nil, nil
	}
	if given != nil {
		want := *given
		want.Host, want.Filter, want.Channels = true, recorded.Filter, recorded.Channels
		want.Size, want.Crop, want.Output = cmp.Or(want.Size, recorded.Size), cmp.Or(want.Crop, 1), cmp.Or(want.Output, recorded.Output)
		if want != recorded {
			return nil, fmt.Errorf("the settings for the foreign backbone differ from those of its features; leave them out (recorded: %v)", recorded)
		}
	}
	return &recorded, nil
}
