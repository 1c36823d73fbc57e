package judge

import (
	"context"
	"slices"

	"graft/finetune/load"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// memory is what a model has seen of images.
type memory struct {
	seen  []duplicate.Content // nil where that is not known
	basis string              // what it was taken from; empty where nothing was
}

// recall makes a memory of the images that the model was trained or chosen on, or,
// where these are not known (nil), of the train split of what it is judged on.
func recall(ctx context.Context, seen []duplicate.Content, s load.Source) (memory, error) {
	if seen != nil {
		return memory{seen, "what the model was trained on"}, nil
	}
	if s.Splits().Rows[dataset.Train] == 0 {
		return memory{}, nil
	}
	seen, err := s.Contents(ctx, dataset.Train)
	if err != nil || seen == nil {
		return memory{}, err
	}
	return memory{seen, "train of what is judged, since it is not known what the model was trained on"}, nil
}

// mark tells of each row which group it is of, and whether the model has seen one of
// it. Rows that nobody looked at, and those that are marked, stay as they are.
func (m memory) mark(rows run.Rows) run.Rows {
	if rows.Seen != nil || len(rows.Contents) == 0 || !slices.ContainsFunc(rows.Contents, duplicate.Content.Known) {
		return rows
	}
	seen, groups := duplicate.Seen(rows.Contents, m.seen)
	rows.Groups = groups
	if m.basis != "" {
		rows.Seen = seen
	}
	return rows
}

// notes say where it stays unknown which rows the model has seen.
func (m memory) notes() []string {
	if m.basis != "" {
		return nil
	}
	return []string{"It is not known which images the model was trained on, so no accuracy on those it has not seen is told. " +
		"Where the embeddings are from before graft kept what their images are, the same graft extract again adds that."}
}
