package sgemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// withKernels runs test under every kernel that this machine has.
func withKernels(t *testing.T, test func(t *testing.T)) {
	for i := range available {
		t.Run(available[i].name, func(t *testing.T) {
			old := current.Swap(&available[i])
			defer current.Store(old)
			test(t)
		})
	}
}

// spec is one product to check.
type spec struct {
	transA, transB bool
	m, n, k        int
	alpha, beta    float32
	pad            int // added to every stride
}

func (s spec) String() string {
	return fmt.Sprintf("%v %v %d×%d×%d alpha %g beta %g pad %d", s.transA, s.transB, s.m, s.n, s.k, s.alpha, s.beta, s.pad)
}

// stored is a random matrix with rows×cols elements after the transposition,
// and NaN in the padding, which nothing may read into a result.
func stored(r *rand.Rand, trans bool, rows, cols, pad int) (data []float32, ld int) {
	if trans {
		rows, cols = cols, rows
	}
	ld = cols + pad
	data = make([]float32, rows*ld)
	for i := range data {
		data[i] = float32(r.NormFloat64())
		if i%ld >= cols {
			data[i] = float32(math.NaN())
		}
	}
	return data, ld
}

func at(data []float32, ld int, trans bool, i, j int) float64 {
	if trans {
		i, j = j, i
	}
	return float64(data[i*ld+j])
}

// check compares one product with float64. The bound is that of a float32 sum
// of k+2 terms.
func check(t *testing.T, s spec) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(s.m*10000+s.n), uint64(s.k)))
	a, lda := stored(r, s.transA, s.m, s.k, s.pad)
	b, ldb := stored(r, s.transB, s.k, s.n, s.pad)
	c, ldc := stored(r, false, s.m, s.n, s.pad)
	if s.beta == 0 {
		for i := range c {
			c[i] = float32(math.NaN())
		}
	}
	old := append([]float32(nil), c...)
	Threads(0).Gemm(s.transA, s.transB, s.m, s.n, s.k, s.alpha, a, lda, b, ldb, s.beta, c, ldc)
	for i := range s.m {
		for j := range ldc {
			got := float64(c[i*ldc+j])
			if j >= s.n {
				if math.Float32bits(c[i*ldc+j]) != math.Float32bits(old[i*ldc+j]) {
					t.Fatalf("%v: wrote beyond row %d", s, i)
				}
				continue
			}
			var sum, size float64
			for p := range s.k {
				v := at(a, lda, s.transA, i, p) * at(b, ldb, s.transB, p, j)
				sum += v
				size += math.Abs(v)
			}
			want := float64(s.alpha) * sum
			size *= math.Abs(float64(s.alpha))
			if s.beta != 0 {
				v := float64(s.beta) * float64(old[i*ldc+j])
				want += v
				size += math.Abs(v)
			}
			if tol := float64(s.k+2) * 0x1p-24 * size; !(math.Abs(got-want) <= tol) {
				t.Fatalf("%v: C[%d,%d] is %g, want %g ± %g", s, i, j, got, want, tol)
			}
		}
	}
}

var transposes = [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}}

// Every size around the tiles' edges (4×4, 6×16, 12×32), both sides of the
// limit for dot products, and all remainders of k.
func TestSmallSizes(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33}
	ks := []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33}
	withKernels(t, func(t *testing.T) {
		for i, m := range sizes {
			for j, n := range sizes {
				for l, k := range ks {
					tr := transposes[(i+j+l)%4]
					check(t, spec{tr[0], tr[1], m, n, k, 1, 0, (i + l) % 3})
				}
			}
		}
	})
}

func TestEveryTransposeAlphaBeta(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {7, 33, 19}, {33, 7, 40}, {13, 17, 5}, {49, 65, 33}, {12, 32, 16}, {6, 16, 8}, {50, 20, 3}}
	withKernels(t, func(t *testing.T) {
		for _, sh := range shapes {
			for _, tr := range transposes {
				for _, alpha := range []float32{0, 1, -0.5} {
					for _, beta := range []float32{0, 1, 2.5} {
						check(t, spec{tr[0], tr[1], sh[0], sh[1], sh[2], alpha, beta, 3})
					}
				}
			}
		}
	})
}

// Sizes that need several blocks in every direction, and the skinny ones.
func TestBlocks(t *testing.T) {
	shapes := [][3]int{{101, 517, 401}, {49, 300, 769}, {48, 300, 769}, {7, 768, 900}, {900, 7, 768}, {500, 16, 2050}, {3, 9, 4100}, {20, 8200, 3}}
	withKernels(t, func(t *testing.T) {
		for _, sh := range shapes {
			for _, tr := range transposes {
				check(t, spec{tr[0], tr[1], sh[0], sh[1], sh[2], 1, 1, 1})
			}
		}
	})
}

func TestNaNSpreads(t *testing.T) {
	nan := float32(math.NaN())
	for _, sh := range [][3]int{{3, 5, 9}, {40, 50, 20}, {40, 7, 33}, {7, 40, 33}} {
		m, n, k := sh[0], sh[1], sh[2]
		withKernels(t, func(t *testing.T) {
			for _, tr := range transposes {
				a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
				b[0] = nan // op(B)[0,0]
				lda, ldb := k, n
				if tr[0] {
					lda = m
				}
				if tr[1] {
					ldb = k
				}
				Threads(0).Gemm(tr[0], tr[1], m, n, k, 1, a, lda, b, ldb, 0, c, n)
				for i, v := range c {
					if isNaN := v != v; isNaN != (i%n == 0) {
						t.Fatalf("%v %v: C[%d,%d] is %g", sh, tr, i/n, i%n, v)
					}
				}
			}
		})
	}
}

func TestInfinityTimesZero(t *testing.T) {
	c := []float32{1}
	Threads(0).Gemm(false, false, 1, 1, 1, 1, []float32{0}, 1, []float32{float32(math.Inf(1))}, 1, 1, c, 1)
	if c[0] == c[0] {
		t.Fatalf("0·∞ + 1 is %g", c[0])
	}
}

func TestSameBitsForAnyThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, sh := range [][3]int{{300, 400, 500}, {2000, 7, 768}, {7, 768, 2000}, {33, 4000, 100}} {
		m, n, k := sh[0], sh[1], sh[2]
		a, _ := stored(r, false, m, k, 0)
		b, _ := stored(r, true, k, n, 0)
		var first []float32
		for _, threads := range []int{1, 2, 3, 5} {
			c := make([]float32, m*n)
			Threads(threads).Gemm(false, true, m, n, k, 1, a, k, b, k, 0, c, n)
			if first == nil {
				first = c
				continue
			}
			for i := range c {
				if c[i] != first[i] {
					t.Fatalf("%v: element %d differs between 1 and %d threads", sh, i, threads)
				}
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	Threads(0).Gemm(false, false, 0, 3, 2, 1, nil, 2, make([]float32, 6), 3, 0, nil, 3)
	c := []float32{1, 2, 3, 4}
	Threads(0).Gemm(false, false, 2, 2, 0, 1, nil, 1, nil, 2, 2, c, 2)
	if c[0] != 2 || c[3] != 8 {
		t.Fatalf("k = 0 gave %v, want C doubled", c)
	}
}

func TestMisfitsPanic(t *testing.T) {
	ten := make([]float32, 10)
	for name, call := range map[string]func(){
		"short a":       func() { Threads(0).Gemm(false, false, 3, 2, 4, 1, ten, 4, ten, 2, 0, ten, 2) },
		"stride of b":   func() { Threads(0).Gemm(false, false, 2, 3, 2, 1, ten, 2, ten, 2, 0, ten, 3) },
		"negative size": func() { Threads(0).Gemm(false, false, -1, 3, 2, 1, ten, 2, ten, 3, 0, ten, 3) },
		"short c":       func() { Threads(0).Gemm(false, false, 4, 3, 2, 1, ten, 2, ten, 3, 0, ten, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestStandardize(t *testing.T) {
	withKernels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{1, 7, 8, 15, 16, 17, 100} {
			src, _ := stored(r, false, 1, n, 0)
			mean, _ := stored(r, false, 1, n, 0)
			scale, _ := stored(r, false, 1, n, 0)
			dst := make([]float32, n)
			Standardize(dst, src, mean, scale)
			for i := range dst {
				if want := (src[i] - mean[i]) * scale[i]; dst[i] != want {
					t.Fatalf("n %d: element %d is %g, want %g", n, i, dst[i], want)
				}
			}
		}
	})
}

func TestFor(t *testing.T) {
	seen := make([]int, 1000)
	Threads(4).For(len(seen), func(i int) { seen[i]++ })
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("task %d ran %d times", i, n)
		}
	}
}

// TestThreadsBound wants no more bodies at once than a caller asked for, whatever others ask for meanwhile.
func TestThreadsBound(t *testing.T) {
	var wait sync.WaitGroup
	for _, threads := range []Threads{Serial, 2, 8, 3} {
		wait.Go(func() {
			var running, most atomic.Int64
			threads.For(200, func(int) {
				now := running.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(20 * time.Microsecond)
				running.Add(-1)
			})
			if got := most.Load(); got > int64(threads) {
				t.Errorf("%d bodies at once, want at most %d", got, threads)
			}
		})
	}
	wait.Wait()
}

// Products from many goroutines at once, some within For, share the helpers.
func TestConcurrentProducts(t *testing.T) {
	const n = 130
	r := rand.New(rand.NewPCG(7, 8))
	a, _ := stored(r, false, n, n, 0)
	b, _ := stored(r, false, n, n, 0)
	want := make([]float32, n*n)
	Serial.Gemm(false, false, n, n, n, 1, a, n, b, n, 0, want, n)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			Threads(3).For(5, func(int) {
				c := make([]float32, n*n)
				Threads(3).Gemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n)
				if !slices.Equal(c, want) {
					t.Error("a product among others is another one")
				}
			})
		})
	}
	wait.Wait()
}

// racing tells that the race detector is on.
var racing bool

func TestNothingAllocated(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools allocate")
	}
	const n = 200
	r := rand.New(rand.NewPCG(5, 6))
	a, _ := stored(r, false, n, n, 0)
	c := make([]float32, n*n)
	for _, cols := range []int{n, 7} {
		for _, tr := range transposes {
			call := func() { Threads(0).Gemm(tr[0], tr[1], n, cols, n, 1, a, n, a, n, 0, c, n) }
			call()
			// The garbage collector may empty a pool once in a while.
			if got := testing.AllocsPerRun(100, call); got > 0.5 {
				t.Errorf("%d columns, transposed %v: %g allocations a call", cols, tr, got)
			}
		}
	}
}

// finished notes what a Finisher is told, and that each part is complete when it is.
type finished struct {
	mu    sync.Mutex
	c     []float32
	ldc   int
	cells map[[2]int]float32
}

func (f *finished) Done(i0, i1, j0, j1 int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := i0; i < i1; i++ {
		for j := j0; j < j1; j++ {
			f.cells[[2]int{i, j}] = f.c[i*f.ldc+j]
		}
	}
}

// TestPacked compares with float64, for whole products and for those cut at a panel, and wants every element finished once
// it has its value.
func TestPacked(t *testing.T) {
	withKernels(t, func(t *testing.T) {
		for i, s := range [][3]int{{1, 1, 1}, {5, 7, 3}, {13, 33, 40}, {50, 70, 513}, {7, 100, 1100}, {100, 1100, 9}} {
			m, n, k, trans := s[0], s[1], s[2], i%2 == 1
			r := rand.New(rand.NewPCG(1, uint64(i)))
			a, lda := stored(r, false, m, k, 2)
			b, ldb := stored(r, trans, k, n, 3)
			x := Pack(trans, k, n, b, ldb)
			c := make([]float32, m*n)
			f := &finished{c: c, ldc: n, cells: map[[2]int]float32{}}
			middle := min(n, (n/2+x.Panel()-1)/x.Panel()*x.Panel())
			Threads(2).GemmPacked(m, a, lda, x, 0, middle, c, n, f)
			Threads(2).GemmPacked(m, a, lda, x, middle, n, c, n, f)
			if len(f.cells) != m*n {
				t.Fatalf("%v: %d elements finished, want %d", s, len(f.cells), m*n)
			}
			for place, got := range f.cells {
				want, size := 0.0, 0.0
				for p := range k {
					v := float64(a[place[0]*lda+p]) * at(b, ldb, trans, p, place[1])
					want, size = want+v, size+math.Abs(v)
				}
				if tol := float64(k+2) * 0x1p-24 * size; !(math.Abs(float64(got)-want) <= tol) || got != c[place[0]*n+place[1]] {
					t.Fatalf("%v: C%v is %v when finished and %v in the end, want %v", s, place, got, c[place[0]*n+place[1]], want)
				}
			}
		}
	})
}
