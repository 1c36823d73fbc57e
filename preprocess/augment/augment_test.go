package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// numbered is an image whose pixels all differ, [c,h,w].
func numbered(c, h, w int) []float32 {
	img := make([]float32, c*h*w)
	for i := range img {
		img[i] = float32(i*37%len(img)) / float32(len(img))
	}
	return img
}

// random images by index.
func randomImage(dst []float32, index int) {
	r := rand.New(rand.NewPCG(uint64(index), 99))
	for i := range dst {
		dst[i] = r.Float32()
	}
}

// apply changes one image by a pipeline.
func apply(t testing.TB, text string, img []float32, c, h, w int, seed uint64, epoch, index int) []float32 {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(p, c, h, w, seed, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := a.Shape()
	out := make([]float32, s[0]*s[1]*s[2])
	if err := a.Images(out, epoch, []int{index}, func(dst []float32, _ int) { copy(dst, img) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// mapped reads an image by a rule for the source of each pixel.
func mapped(img []float32, c, h, w, oh, ow int, from func(y, x int) (int, int)) []float32 {
	out := make([]float32, c*oh*ow)
	for k := range c {
		for y := range oh {
			for x := range ow {
				sy, sx := from(y, x)
				out[(k*oh+y)*ow+x] = img[(k*h+sy)*w+sx]
			}
		}
	}
	return out
}

func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d and at least one", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestExact(t *testing.T) {
	const c, h, w = 2, 5, 8
	img := numbered(c, h, w)
	near(t, "nothing", apply(t, "none", img, c, h, w, 1, 2, 3), img, 0)
	near(t, "hflip", apply(t, "hflip=1", img, c, h, w, 1, 2, 3),
		mapped(img, c, h, w, h, w, func(y, x int) (int, int) { return y, w - 1 - x }), 0)
	near(t, "vflip", apply(t, "vflip=1", img, c, h, w, 1, 2, 3),
		mapped(img, c, h, w, h, w, func(y, x int) (int, int) { return h - 1 - y, x }), 0)
	near(t, "both", apply(t, "hflip=1,vflip=1", img, c, h, w, 1, 2, 3),
		mapped(img, c, h, w, h, w, func(y, x int) (int, int) { return h - 1 - y, w - 1 - x }), 0)
}

// TestAffine checks single maps, sampled bilinearly: sampling must reach what copying gives.
func TestAffine(t *testing.T) {
	const n = 6
	img := numbered(1, n, n)
	centre := float64(n-1) / 2
	edge := func(v int) int { return min(max(v, 0), n-1) }
	for _, c := range []struct {
		name string
		m    affine
		from func(y, x int) (int, int)
	}{
		{"identity", compose(0, 1, 1, 1, 0, 0, centre, centre), func(y, x int) (int, int) { return y, x }},
		// Counter-clockwise: the right column becomes the top row.
		{"quarter turn", compose(math.Pi/2, 1, 1, 1, 0, 0, centre, centre), func(y, x int) (int, int) { return x, n - 1 - y }},
		{"quarter turn clockwise", compose(-math.Pi/2, 1, 1, 1, 0, 0, centre, centre), func(y, x int) (int, int) { return n - 1 - x, y }},
		{"half turn", compose(math.Pi, 1, 1, 1, 0, 0, centre, centre), func(y, x int) (int, int) { return n - 1 - y, n - 1 - x }},
		// Mirrored first, then turned.
		{"mirrored quarter turn", compose(math.Pi/2, 1, -1, 1, 0, 0, centre, centre), func(y, x int) (int, int) { return x, y }},
		// The image moves right by 2 and up by 1.
		{"shift", compose(0, 1, 1, 1, -2, 1, centre, centre), func(y, x int) (int, int) { return edge(y + 1), edge(x - 2) }},
		{"turned, then shifted", compose(math.Pi/2, 1, 1, 1, -2, 0, centre, centre), func(y, x int) (int, int) { return edge(x - 2), n - 1 - y }},
	} {
		got, line := make([]float32, n*n), make([]float32, n)
		want := mapped(img, 1, n, n, n, n, c.from)
		c.m.warp(got, img, n, n, n, n, false)
		near(t, c.name, got, want, 1e-5)
		for y := range n { // the sampler itself, also where warp copies
			v := float64(y) - centre
			sampleEdge(line, img, n, n, float32(-c.m.xx*centre+c.m.xy*v+c.m.x0), float32(-c.m.yx*centre+c.m.yy*v+c.m.y0), float32(c.m.xx), float32(c.m.yx))
			near(t, c.name+", sampled", line, want[y*n:(y+1)*n], 1e-5)
		}
	}
}

// TestSampling compares with bilinear interpolation written out, for a map that is not straight, with both paddings.
func TestSampling(t *testing.T) {
	const h, w = 7, 9
	img := numbered(1, h, w)
	m := compose(0.4, 1.3, 1, -1, 1.5, -2.25, 4, 3)
	for _, zero := range []bool{false, true} {
		got := make([]float32, h*w)
		m.warp(got, img, h, w, h, w, zero)
		outside := 0
		for i := range h {
			for j := range w {
				u, v := float64(j)-4, float64(i)-3
				x, y := m.xx*u+m.xy*v+m.x0, m.yx*u+m.yy*v+m.y0
				want := bilinear(img, h, w, x, y, zero)
				if !(math.Abs(float64(got[i*w+j])-want) <= 1e-5) {
					t.Fatalf("zero padding %t, place %d,%d: %v, want %v", zero, i, j, got[i*w+j], want)
				}
				if x < -1 || y < -1 || x > w || y > h {
					outside++
				}
			}
		}
		if outside == 0 {
			t.Error("the map leaves no place outside; padding is not tested")
		}
	}
}

// bilinear is the definition: the four neighbours by their distances.
func bilinear(img []float32, h, w int, x, y float64, zero bool) float64 {
	var sum float64
	for dy := range 2 {
		for dx := range 2 {
			ix, iy := int(math.Floor(x))+dx, int(math.Floor(y))+dy
			weight := (1 - math.Abs(x-float64(ix))) * (1 - math.Abs(y-float64(iy)))
			if inside := ix >= 0 && iy >= 0 && ix < w && iy < h; zero && !inside {
				continue
			}
			sum += weight * float64(img[min(max(iy, 0), h-1)*w+min(max(ix, 0), w-1)])
		}
	}
	return sum
}

// TestShift finds each shifted image among the whole-pixel ones, and wants all of them to occur.
func TestShift(t *testing.T) {
	const n = 8
	img := numbered(1, n, n)
	seen := map[[2]int]int{}
	for index := range 600 {
		out := apply(t, "shift=0.25,pad=zero", img, 1, n, n, 5, 0, index)
		found := false
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				want := make([]float32, n*n)
				for y := range n {
					for x := range n {
						if sy, sx := y-dy, x-dx; sy >= 0 && sx >= 0 && sy < n && sx < n {
							want[y*n+x] = img[sy*n+sx]
						}
					}
				}
				if slices.Equal(out, want) {
					seen[[2]int{dy, dx}]++
					found = true
				}
			}
		}
		if !found {
			t.Fatalf("image %d is no shift by up to 2 whole pixels", index)
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d of 25 shifts occur", len(seen))
	}
}

// TestCrop finds each crop, and wants every place to occur about as often.
func TestCrop(t *testing.T) {
	const h, w, n = 6, 7, 4
	img := numbered(2, h, w)
	seen := map[int]int{}
	const images = 2400
	for index := range images {
		out := apply(t, "crop=4", img, 2, h, w, 5, 1, index)
		for top := range h - n + 1 {
			for left := range w - n + 1 {
				if slices.Equal(out, mapped(img, 2, h, w, n, n, func(y, x int) (int, int) { return top + y, left + x })) {
					seen[top*10+left]++
				}
			}
		}
	}
	total := 0
	for place, times := range seen {
		total += times
		if times < 140 || times > 260 { // 200 ± 4 deviations
			t.Errorf("place %d occurs %d times of %d", place, times, images)
		}
	}
	if len(seen) != 12 || total != images {
		t.Errorf("%d places and %d crops, want 12 and %d", len(seen), total, images)
	}
}

func TestPlain(t *testing.T) {
	img := numbered(1, 7, 6)
	a, err := New(Pipeline{Crop: 4, HFlip: 1, Noise: 0.5, Cutout: 3}, 1, 7, 6, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 2*16)
	if err := a.Plain(out, []int{3, 4}, func(dst []float32, _ int) { copy(dst, img) }); err != nil {
		t.Fatal(err)
	}
	want := mapped(img, 1, 7, 6, 4, 4, func(y, x int) (int, int) { return y + 1, x + 1 })
	near(t, "the middle", out, append(slices.Clone(want), want...), 0)
}

// TestRepeatable wants the same bits for any number of threads and any batch, and others for another seed, epoch or index.
func TestRepeatable(t *testing.T) {
	p, err := Parse("hflip,vflip=0.2,shift=0.1,rotate=15,scale=0.2,crop=20,brightness=0.2,contrast=0.3,noise=0.05,cutout=6")
	if err != nil {
		t.Fatal(err)
	}
	make1 := func(seed uint64, threads, epoch int, indices []int) []float32 {
		a, err := New(p, 1, 24, 24, seed, threads)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float32, len(indices)*400)
		if err := a.Images(out, epoch, indices, randomImage); err != nil {
			t.Fatal(err)
		}
		return out
	}
	indices := []int{7, 3, 28708, 0, 12, 5, 9, 1, 100, 44, 2}
	want := make1(1, 1, 4, indices)
	for _, threads := range []int{0, 2, 3, 20} {
		if !slices.Equal(make1(1, threads, 4, indices), want) {
			t.Errorf("%d threads give other images than 1", threads)
		}
	}
	if !slices.Equal(make1(1, 1, 4, indices[4:5]), want[4*400:5*400]) {
		t.Error("an image alone is not what it is in a batch")
	}
	if slices.Equal(make1(2, 1, 4, indices), want) || slices.Equal(make1(1, 1, 5, indices), want) {
		t.Error("another seed or epoch gives the same images")
	}
	same := func(dst []float32, _ int) { randomImage(dst, 0) }
	a, _ := New(p, 1, 24, 24, 1, 1)
	two := make([]float32, 800)
	if err := a.Images(two, 4, []int{1, 2}, same); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(two[:400], two[400:]) {
		t.Error("two indices change the same image alike")
	}
}

// TestDraws checks the distributions of angles, sizes and flips.
func TestDraws(t *testing.T) {
	p := Pipeline{HFlip: 0.3, Rotate: 20, Scale: 0.25}
	s := newStream()
	const draws = 20000
	var angles, sizes, flips float64
	var lowest, highest, smallest, largest = 1e9, -1e9, 1e9, -1e9
	for i := range draws {
		s.start(9, forImage, 0, i)
		m := p.draw(s, 10, 10, 10, 10)
		if m.xx*m.yy-m.xy*m.yx < 0 {
			flips++
		}
		angle, size := math.Atan2(-m.xy*math.Copysign(1, m.xx), m.yy)*180/math.Pi, 1/math.Hypot(m.yx, m.yy)
		angles, sizes = angles+angle, sizes+size
		lowest, highest = min(lowest, angle), max(highest, angle)
		smallest, largest = min(smallest, size), max(largest, size)
	}
	for _, c := range []struct {
		what          string
		got, want, by float64
	}{
		{"share of flips", flips / draws, 0.3, 0.015}, {"mean angle", angles / draws, 0, 0.35}, {"mean size", sizes / draws, 1, 0.005},
		{"smallest angle", lowest, -20, 0.1}, {"largest angle", highest, 20, 0.1}, {"smallest size", smallest, 0.75, 0.01}, {"largest size", largest, 1.25, 0.01},
	} {
		if !(math.Abs(c.got-c.want) <= c.by) {
			t.Errorf("%s: %v, want %v ± %v", c.what, c.got, c.want, c.by)
		}
	}
}

func TestToneAndNoise(t *testing.T) {
	flat := slices.Repeat([]float32{0.5}, 64*64)
	out := apply(t, "noise=0.05", flat, 1, 64, 64, 1, 1, 1)
	var sum, squares float64
	for _, v := range out {
		sum, squares = sum+float64(v), squares+float64(v)*float64(v)
	}
	m := sum / float64(len(out))
	if d := math.Sqrt(squares/float64(len(out)) - m*m); !(math.Abs(d-0.05) < 0.003 && math.Abs(m-0.5) < 0.004) {
		t.Errorf("noise has mean %v and deviation %v, want 0.5 and 0.05", m, d)
	}
	img := numbered(1, 16, 16)
	for index := range 50 {
		out := apply(t, "brightness=1,contrast=1,noise=1", img, 1, 16, 16, 1, 1, index)
		if slices.Min(out) < 0 || slices.Max(out) > 1 {
			t.Fatalf("image %d lies in %v to %v", index, slices.Min(out), slices.Max(out))
		}
		gray := mean(apply(t, "contrast=0.4", img, 1, 16, 16, 1, 1, index))
		if !(math.Abs(float64(gray-mean(img))) < 0.02) { // a few pixels are cut off at 0 and 1
			t.Errorf("contrast moved the mean from %v to %v", mean(img), gray)
		}
	}
}

func TestCutout(t *testing.T) {
	img := numbered(2, 12, 10)
	m := mean(img)
	largest := 0
	for index := range 200 {
		out := apply(t, "cutout=5", img, 2, 12, 10, 1, 1, index)
		var changed [2]int
		for i, v := range out {
			if v != img[i] {
				changed[i/120]++
				if v != m {
					t.Fatalf("a cut pixel is %v, want the mean %v", v, m)
				}
			}
		}
		if changed[0] != changed[1] || changed[0] == 0 {
			t.Fatalf("image %d: %v pixels of the channels are cut", index, changed)
		}
		largest = max(largest, changed[0])
	}
	if largest != 25 {
		t.Errorf("at most %d pixels are cut, want 25", largest)
	}
}

func TestErrors(t *testing.T) {
	if _, err := New(Pipeline{Crop: 50}, 1, 48, 48, 1, 1); err == nil {
		t.Error("a crop larger than the image is accepted")
	}
	if _, err := New(Pipeline{Shift: math.NaN()}, 1, 48, 48, 1, 1); err == nil {
		t.Error("NaN is accepted")
	}
	if _, err := New(Pipeline{}, 1, 0, 48, 1, 1); err == nil {
		t.Error("an empty image is accepted")
	}
	a, err := New(Pipeline{Mixup: 0.2}, 1, 4, 4, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Images(make([]float32, 31), 0, []int{1, 2}, randomImage); err == nil {
		t.Error("a destination that is too small is accepted")
	}
	if err := a.Mix(make([]float32, 32), make([]float32, 5), 3, 0, []int{1, 2}); err == nil {
		t.Error("too few targets are accepted")
	}
}

func BenchmarkAugment(b *testing.B) {
	faces := make([][]float32, 64)
	for i := range faces {
		faces[i] = make([]float32, 48*48)
		randomImage(faces[i], i)
	}
	source := func(dst []float32, index int) { copy(dst, faces[index]) }
	for _, text := range []string{"hflip", "hflip,shift=0.1,rotate=10,scale=0.1,cutout=12", "hflip,shift=0.1,rotate=10,scale=0.1,pad=zero",
		"hflip,rotate=10,crop=44,brightness=0.2,contrast=0.2,cutout=12", "noise=0.05", "hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2"} {
		b.Run(text, func(b *testing.B) {
			p, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			a, err := New(p, 1, 48, 48, 1, 1)
			if err != nil {
				b.Fatal(err)
			}
			indices := rand.New(rand.NewPCG(1, 1)).Perm(64)
			out, targets := make([]float32, 64*48*48), make([]float32, 64*7)
			b.ReportAllocs()
			epoch := 0
			for b.Loop() {
				epoch++
				if err := a.Images(out, epoch, indices, source); err != nil {
					b.Fatal(err)
				}
				if err := a.Mix(out, targets, 7, epoch, indices); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
