package schema_test

import (
	"fmt"
	"testing"

	"graft/internal/schema"
)

func ExampleMarshal() {
	data, err := schema.Marshal("graft-face-1", map[string]int{"eyes": 2}, "  ")
	fmt.Printf("%s%v\n", data, err)
	// Output:
	// {
	//   "schema": "graft-face-1",
	//   "eyes": 2
	// }
	// <nil>
}

func TestMarshal(t *testing.T) {
	type point struct{ X, Y []string }
	for want, v := range map[string]any{
		`{"schema":"s","X":["\u003c"],"Y":null}`: &point{X: []string{"<"}},
		`{"schema":"s"}`:                         struct{}{},
		`[]`:                                     []point(nil),
		`[{"schema":"s"},{"schema":"s","a":{}}]`: []map[string]any{{}, {"a": struct{}{}}},
	} {
		data, err := schema.Marshal("s", v, "")
		if got := strip(data); err != nil || got != want {
			t.Errorf("%#v: %s, %v; want %s", v, got, err, want)
		}
	}
	for _, v := range []any{1, "a", []int{1}, []any{map[string]int{}, nil}, func() {}} {
		if data, err := schema.Marshal("s", v, ""); err == nil {
			t.Errorf("%#v became %s", v, data)
		}
	}
}

// strip takes out the white space, of which the test's values have none.
func strip(data []byte) (s string) {
	for _, r := range string(data) {
		if r > ' ' {
			s += string(r)
		}
	}
	return s
}
