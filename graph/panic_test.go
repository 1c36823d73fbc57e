package graph

import (
	"fmt"
	"math"
	"reflect"
	"testing"
)

// TestBuildingNeverPanics calls every method that builds with operands and sizes that do not fit: nil, nodes of a graph
// with an error, scalars, nodes of another graph.
func TestBuildingNeverPanics(t *testing.T) {
	failed := New()
	failed.Relu(nil)
	other := New().Input("other", 2, 3)
	for variant := range 9 {
		g := New()
		nodes := []*Node{nil, failed.Relu(nil), other, g.Scalar(2), g.Input("a", 2, 3), g.Input("b", 1, 2, 4, 4), g.Indices("i", 2),
			g.Parameter("p", nil, 2, 3), g.Input("line", 5)}
		numbers := []int{-1, 0, 1, 7, math.MinInt, 2, math.MaxInt, -2, 3}
		pick := func(typ reflect.Type, k int) reflect.Value {
			switch typ {
			case reflect.TypeFor[*Node]():
				return reflect.ValueOf(nodes[(variant+k)%len(nodes)])
			case reflect.TypeFor[int]():
				return reflect.ValueOf(numbers[(variant+2*k)%len(numbers)])
			case reflect.TypeFor[string]():
				return reflect.ValueOf(fmt.Sprint("name", k))
			}
			return reflect.Zero(typ)
		}
		for i := range reflect.TypeOf(g).NumMethod() {
			m := reflect.TypeOf(g).Method(i)
			for count := range 4 { // operands of a list
				g.err = nil
				args := []reflect.Value{reflect.ValueOf(g)}
				for k := 1; k < m.Type.NumIn(); k++ {
					typ := m.Type.In(k)
					if typ.Kind() != reflect.Slice || typ.Elem().Kind() != reflect.Int && typ.Elem() != reflect.TypeFor[*Node]() {
						args = append(args, pick(typ, k))
						continue
					}
					list := reflect.MakeSlice(typ, 0, count)
					for j := range count {
						list = reflect.Append(list, pick(typ.Elem(), k+j))
					}
					args = append(args, list)
				}
				call(t, m, args)
			}
		}
	}
}

func call(t *testing.T, m reflect.Method, args []reflect.Value) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s of %v panicked: %v", m.Name, args[1:], r)
		}
	}()
	if m.Type.IsVariadic() {
		m.Func.CallSlice(args)
	} else {
		m.Func.Call(args)
	}
}
