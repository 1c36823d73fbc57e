package meta

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"graft/preprocess"
)

// key is one of the metadata's keys, and how its field is read from a word and written as one.
type key struct {
	name   string
	parse  func(word string) error
	format func() string // "" for what is not written
}

func unlike(name, word, want string) error {
	return fmt.Errorf("metadata %s%s is %q, want %s", prefix, name, word, want)
}

func text(name string, v *string) key {
	return key{name, func(word string) error { *v = word; return nil }, func() string { return *v }}
}

// list is of words between which sep stands.
func list(name string, v *[]string, sep string) key {
	return key{name, func(word string) error { *v = strings.Split(word, sep); return nil }, func() string { return strings.Join(*v, sep) }}
}

// object is what JSON holds; want says what is good. Zero is not written.
func object(name string, v any, want string, good func() bool) key {
	parse := func(word string) error {
		if json.Unmarshal([]byte(word), v) != nil || !good() {
			return unlike(name, word, want)
		}
		return nil
	}
	format := func() string {
		if reflect.ValueOf(v).Elem().IsZero() {
			return ""
		}
		data, _ := json.Marshal(v) // of types that JSON holds
		return string(data)
	}
	return key{name, parse, format}
}

func number[T int | float64](name string, v *T, least, most T) key {
	return object(name, v, fmt.Sprintf("a number from %v to %v", least, most), func() bool { return *v >= least && *v <= most })
}

func imageSize(s *preprocess.Spec) key {
	const name = "image_size"
	parse := func(word string) (err error) {
		if s.Size, s.Width, err = preprocess.ParseSize(word); err != nil {
			return unlike(name, word, fmt.Sprintf("pixels like 224, or height and width like 256x128, up to %d", preprocess.MaxSide))
		}
		return nil
	}
	format := func() string {
		if s.Size == 0 {
			return ""
		}
		return preprocess.FormatSize(s.Size, s.Width)
	}
	return key{name, parse, format}
}

// three is a number for each colour; without deviations there is no mean either.
func three(name string, v *[3]float32, of *preprocess.Spec) key {
	parse := func(word string) error {
		if strings.Count(word, ",") != 2 || json.Unmarshal([]byte("["+word+"]"), v) != nil {
			return unlike(name, word, "three numbers")
		}
		return nil
	}
	format := func() string {
		if of.Std == [3]float32{} {
			return ""
		}
		data, _ := json.Marshal(v)
		return strings.Trim(string(data), "[]")
	}
	return key{name, parse, format}
}

// flip is written, also where it is false, of every head.
func flip(m *Meta) key {
	k := object("head.flip", &m.Flip, "true or false", func() bool { return true })
	k.format = func() string {
		if m.Taps == nil {
			return ""
		}
		return strconv.FormatBool(m.Flip)
	}
	return k
}
