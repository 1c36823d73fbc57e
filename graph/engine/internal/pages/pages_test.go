package pages

import "testing"

func TestFloats(t *testing.T) {
	for _, n := range []int{0, 1, 1 << 18, 3 << 20} {
		v := Floats(n)
		if len(v) != n {
			t.Fatalf("%d numbers, want %d", len(v), n)
		}
		for i := range v {
			if v[i] != 0 {
				t.Fatalf("number %d of %d is %v", i, n, v[i])
			}
			v[i] = 1
		}
	}
}

func ExampleFloats() {
	weights := Floats(768 * 3072)
	weights[0] = 1
	// Output:
}
