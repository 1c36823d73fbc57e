// Package schema marks JSON with what it is and in which version, so that its
// readers need not guess: a field "schema" such as "graft-metrics-1" before all
// others. Within a version fields are only added.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Key is the name of the field, and of the same in the metadata of other formats.
const Key = "schema"

// Marshal is json.MarshalIndent of a struct or map with the schema's name in it,
// or of a list of such with the name in each, and a line feed at the end.
func Marshal(name string, v any, indent string) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if list := []json.RawMessage{}; json.Unmarshal(data, &list) == nil {
		for i := range list {
			if list[i], err = mark(name, list[i]); err != nil {
				return nil, err
			}
		}
		data, err = json.Marshal(append([]json.RawMessage{}, list...)) // never null
	} else {
		data, err = mark(name, data)
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, append(data, '\n'), "", indent); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func mark(name string, object []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(object, []byte("{"))
	if !ok {
		return nil, fmt.Errorf("schema %s: %.20s is no object to put it in", name, object)
	}
	head := fmt.Appendf(nil, "{%q:%q", Key, name)
	if string(rest) != "}" {
		head = append(head, ',')
	}
	return append(head, rest...), nil
}
