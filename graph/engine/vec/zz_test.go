package vec
import "testing"
func BenchmarkZ(b *testing.B){ for _,n:=range []int{64,192,197}{ x:=numbers(n);y:=numbers(n); z:=numbers(n)
 b.Run("affine",func(b *testing.B){for b.Loop(){Affine(y,x,1.0001,0.0001)}}); b.Run("sum",func(b *testing.B){for b.Loop(){Sum(x)}}); b.Run("dot",func(b *testing.B){for b.Loop(){Dot(x,z)}}); b.Run("sumaffine",func(b *testing.B){for b.Loop(){Affine(y,x,1,-Sum(x)/float32(len(x)))}});b.Run("largest",func(b *testing.B){for b.Loop(){Largest(x)}}); b.Run("expsum",func(b *testing.B){for b.Loop(){ExpSum(y,x,0.1,-1)}})}}
