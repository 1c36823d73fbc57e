package augment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	wordNone = "none"     // the empty pipeline's text
	wordZero = "pad=zero" // ZeroPad
	wordEdge = "pad=edge" // the default, also accepted
)

// String is the pipeline's text, which Parse reads; "none" for the one that does nothing.
func (p Pipeline) String() string {
	var words []string
	for _, f := range p.fields() {
		switch v := f.get(); v {
		case 0:
		case f.alone:
			words = append(words, f.word)
		default:
			words = append(words, f.word+"="+strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	if p.ZeroPad {
		words = append(words, wordZero)
	}
	if len(words) == 0 {
		return wordNone
	}
	return strings.Join(words, ",")
}

// Parse reads a pipeline such as "hflip,shift=0.1,rotate=10": words separated by commas, each at most once, with a number
// behind "=" but for hflip and vflip, which alone mean 0.5. "pad=zero" or "pad=edge" says what lies outside the image. The
// empty text and "none" do nothing. Unknown words and numbers out of range are errors.
func Parse(text string) (Pipeline, error) {
	var p Pipeline
	if text == "" || text == wordNone {
		return p, nil
	}
	var seen []string
	for _, item := range strings.Split(text, ",") {
		word, number, numbered := strings.Cut(strings.TrimSpace(item), "=")
		if slices.Contains(seen, word) {
			return Pipeline{}, fmt.Errorf("augment: %q is given twice in %q", word, text)
		}
		seen = append(seen, word)
		if err := p.parse(word, number, numbered); err != nil {
			return Pipeline{}, fmt.Errorf("%w, in %q", err, text)
		}
	}
	return p, nil
}

// parse sets what one item says.
func (p *Pipeline) parse(word, number string, numbered bool) error {
	if word == "pad" {
		p.ZeroPad = number == "zero"
		if number != "zero" && number != "edge" {
			return fmt.Errorf("augment: pad=%s: want %s or %s", number, wordEdge, wordZero)
		}
		return nil
	}
	fields := p.fields()
	i := slices.IndexFunc(fields, func(f field) bool { return f.word == word })
	if i < 0 {
		return fmt.Errorf("augment: unknown word %q, want some of %s", word, known(fields))
	}
	f := fields[i]
	v := f.alone
	if numbered {
		var err error
		if v, err = strconv.ParseFloat(number, 64); err != nil {
			return fmt.Errorf("augment: %s=%s is not a number", word, number)
		}
	} else if v == 0 {
		return fmt.Errorf("augment: %s needs a number, as in %s=%g", word, word, min(f.max, 0.1+f.lowest*8))
	}
	if err := f.check(v); err != nil {
		return err
	}
	if f.whole != nil {
		*f.whole = int(v)
	} else {
		*f.value = v
	}
	return nil
}

func known(fields []field) string {
	var words []string
	for _, f := range fields {
		words = append(words, f.word)
	}
	return strings.Join(append(words, "pad"), ", ")
}

// MarshalText is String, so that a pipeline stands as its text in JSON.
func (p Pipeline) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is Parse.
func (p *Pipeline) UnmarshalText(text []byte) (err error) {
	*p, err = Parse(string(text))
	return err
}
