package vit

import (
	"regexp"
	"strings"
)

// headWords are in the names of parts that read a network's features and make no part of
// them; insideWords in those of parts that make the features others, which must not be
// left out.
var (
	headWords   = regexp.MustCompile(`(^|_)(heads?|fc|cls|classifiers?|logits|decoder|dec|proj|projections?|projector|predictor|prediction|prototypes?|queue|loss|criterion|neck|pooler|dino|ibot|last|output|linear|metric|aux)(_|$)`)
	insideWords = regexp.MustCompile(`(^|_)(pos|position|positions|rope|rel|freqs|embed|embedding|embeddings|tokens?|prompts?|patch|adapters?|lora|stem|norm|blocks?|layers|stages?)(_|$)`)
	digits      = regexp.MustCompile(`\d+`)
)

// part is the first word of a name behind the prefix.
func (l *loader) part(name string) string {
	rest := strings.TrimPrefix(name, l.prefix)
	first, _, _ := strings.Cut(rest, ".")
	return first
}

// behind are the parts of the file that stand behind the features: heads of any shape and
// name, decoders, projections. They are known by their words, or by a matrix that reads the
// features (its inputs a multiple of the width) in a part that the network does not have.
func (l *loader) behind(known map[string]bool, width int) map[string]bool {
	own := map[string]bool{}
	for name := range known {
		own[l.part(name)] = true
	}
	out := map[string]bool{}
	for _, name := range l.file.Names() {
		part := l.part(name)
		words := strings.Trim(digits.ReplaceAllString(strings.ToLower(part), "_"), "_")
		if own[part] || part == "attn_pool" {
			continue
		}
		info, _ := l.file.Info(name)
		reads := len(info.Shape) >= 2 && info.Shape[1] > 0 && info.Shape[1]%width == 0
		if headWords.MatchString(words) && !strings.HasPrefix(words, "cls_token") || reads && !insideWords.MatchString(words) {
			out[part] = true
		}
	}
	return out
}
