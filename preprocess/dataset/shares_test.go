package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"graft/preprocess"
)

// splitByID is where each image of a set is.
func splitByID(d *Dataset) map[string]string {
	out := map[string]string{}
	for _, s := range d.Samples {
		out[s.ID] = s.Split
	}
	return out
}

func flat(t testing.TB, from, to int) (list []member) {
	for i := from; i < to; i++ {
		list = append(list, member{name: fmt.Sprintf("%c/p%d_%d.png", 'a'+i%2, i%40, i), data: pngText(t, uint64(i), 1, 6, 7)})
	}
	return list
}

// TestSharesMoveNothing: shares are about as asked, the same whatever the packing, names
// and place, others for another seed, and more images move none.
func TestSharesMoveNothing(t *testing.T) {
	few, all := flat(t, 0, 300), flat(t, 0, 400)
	d := mustOpen(t, unpack(t, few...), Ref{})
	was := splitByID(d)
	count := map[string]float64{}
	for _, split := range was {
		count[split] += 1.0 / 300
	}
	if math.Abs(count[Train]-0.8) > 0.08 || math.Abs(count[Val]-0.1) > 0.06 || math.Abs(count[Test]-0.1) > 0.06 {
		t.Errorf("shares %v", count)
	}
	for name, split := range splitByID(mustOpen(t, writeFile(t, "set.tar", tarred(t, all...)), Ref{})) {
		if was[name] != "" && was[name] != split {
			t.Errorf("%s moved from %s to %s", name, was[name], split)
		}
	}
	other := splitByID(mustOpen(t, unpack(t, few...), Ref{SplitSeed: 1}))
	moved := 0
	for name := range was {
		if was[name] != other[name] {
			moved++
		}
	}
	if moved < 50 {
		t.Errorf("another seed moves %d of 300", moved)
	}
	half := mustOpen(t, unpack(t, few...), Ref{SplitShares: "50/50"})
	if got := half.Info().Splits; len(got) != 2 || got[Train].Total < 110 || got[Test].Total < 110 {
		t.Errorf("50/50: %+v", got)
	}
	grouped := mustOpen(t, unpack(t, few...), Ref{GroupBy: `(p\d+)_`})
	of := map[string]string{}
	for i, s := range grouped.Samples {
		if g := grouped.groups[i]; of[g] == "" {
			of[g] = s.Split
		} else if of[g] != s.Split {
			t.Errorf("group %s is in %s and %s", g, of[g], s.Split)
		}
	}
}

// shades are smooth images, and twins of them that are a little lighter.
func shades(t testing.TB, dir string, n int, lift uint8) {
	t.Helper()
	for i := range n {
		im := image.NewGray(image.Rect(0, 0, 32, 32))
		for y := range 32 {
			for x := range 32 {
				v := 110 + 70*math.Sin(float64(x)*(0.1+0.02*float64(i%17))+float64(i))*math.Cos(float64(y)*(0.1+0.015*float64(i%13)))
				im.SetGray(x, y, color.Gray{Y: uint8(v) + lift})
			}
		}
		path := filepath.Join(dir, string(rune('a'+i%2)), fmt.Sprintf("%d-%d.png", i, lift))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err == nil {
			err = png.Encode(f, im)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
}

// TestNearDuplicatesThatFallApart: without a record train loses them and that is said;
// with one they go where the first went.
func TestNearDuplicatesThatFallApart(t *testing.T) {
	const n = 60
	dir := t.TempDir()
	record := filepath.Join(t.TempDir(), "splits.csv")
	shades(t, dir, n, 0)
	before := splitByID(mustOpen(t, dir, Ref{SplitRecord: record}))
	shades(t, dir, n, 3)
	d := mustOpen(t, dir, Ref{SplitShares: "50/50"})
	left := 2*n - len(d.Samples)
	if left == 0 || !strings.Contains(strings.Join(d.Warnings, ""), fmt.Sprintf("left out of train: %d image", left)) {
		t.Errorf("%d left out, warnings %q", left, d.Warnings)
	}
	after := mustOpen(t, dir, Ref{SplitRecord: record})
	now := splitByID(after)
	for i := range n {
		id := fmt.Sprintf("%c/%d-", 'a'+i%2, i)
		if now[id+"0.png"] != before[id+"0.png"] || now[id+"3.png"] != now[id+"0.png"] {
			t.Errorf("%s was in %s, is in %s, its twin in %s", id, before[id+"0.png"], now[id+"0.png"], now[id+"3.png"])
		}
	}
	text, err := os.ReadFile(record)
	if err != nil || strings.Count(string(text), "\n") != 2*n+1 {
		t.Errorf("record: %v, %d lines", err, strings.Count(string(text), "\n"))
	}
	if again := mustOpen(t, dir, Ref{SplitRecord: record, SplitSeed: 9}); len(again.Samples) != 2*n || fingerprint(t, again) != fingerprint(t, after) {
		t.Error("the record does not decide")
	}
	if err := os.WriteFile(record, []byte("key,print,group,split\nxx,,,train\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Ref{Path: dir, SplitRecord: record}, nil)
	wantError(t, err, record, "line 2", "hexadecimal")
}

func TestSharesAreRefused(t *testing.T) {
	own := unpack(t, pictures(t, "train/a/0.png", "test/b/1.png")...)
	for _, r := range []Ref{{SplitShares: "80/10/10"}, {SplitSeed: 3}, {SplitRecord: "x"}} {
		r.Path = own
		_, err := Open(context.Background(), r, nil)
		wantError(t, err, own, "splits of its own (train, test)")
	}
	for _, shares := range []string{"80", "a/b/c", "0/50/50", "80/-1/21", "NaN/1/1", "1/2/3/4"} {
		_, err := Open(context.Background(), Ref{Path: unpack(t, flat(t, 0, 4)...), SplitShares: shares}, nil)
		wantError(t, err, shares, "want those of train, val and test")
	}
	// What is all train can be split where that is asked for.
	d := mustOpen(t, unpack(t, below("train/", flat(t, 0, 60))...), Ref{SplitShares: "70/30"})
	if !slices.Equal(d.Splits, []string{Train, Test}) {
		t.Errorf("splits %v", d.Splits)
	}
}

// decodes counts how often a set's images are decoded while it is opened.
type decodes struct {
	fileSource
	n atomic.Int64
}

func (d *decodes) image(ctx context.Context, i int) (preprocess.Image, error) {
	d.n.Add(1)
	return d.fileSource.image(ctx, i)
}

// Images are decoded for their splits once: the next opening reads their files alone, and gives them the same splits. One that
// changed is decoded again, and what is kept and damaged is not believed.
func TestContentsAreKept(t *testing.T) {
	cache := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, cache)
	}
	before := worthKeeping
	t.Cleanup(func() { worthKeeping = before })
	worthKeeping = 0
	dir := unpack(t, flat(t, 0, 30)...)
	want := splitByID(mustOpen(t, dir, Ref{}))
	looks := func() int {
		d := mustOpen(t, dir, Ref{})
		if got := splitByID(d); !maps.Equal(got, want) {
			t.Errorf("splits %v, want %v", got, want)
		}
		counted := &decodes{fileSource: d.src.(fileSource)}
		d.src = counted
		contents, err := d.look(t.Context(), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range contents {
			im, err := d.Image(t.Context(), i)
			if err != nil || d.Content(i, im) != c {
				t.Errorf("image %d: content %v, want that of its pixels (%v)", i, c, err)
			}
		}
		return int(counted.n.Load()) - len(contents)
	}
	if n := looks(); n != 0 {
		t.Errorf("%d images were decoded again", n)
	}
	base, err := os.UserCacheDir()
	found, err1 := filepath.Glob(filepath.Join(base, "graft", "contents", "*"))
	if len(found) != 1 || err != nil || err1 != nil {
		t.Fatalf("kept in %v, want one file (%v, %v)", found, err, err1)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(found[0], data, 0o644); err != nil {
		t.Fatal(err)
	}
	if had := readKept(found[0]); len(had) != 0 {
		t.Errorf("%d rows of a damaged file were believed", len(had))
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "p0_0.png"), []byte(pngText(t, 99, 1, 6, 7)), 0o644); err != nil {
		t.Fatal(err)
	}
	want = splitByID(mustOpen(t, dir, Ref{})) // writes anew, with the changed one
	if n := looks(); n != 0 {
		t.Errorf("%d images were decoded again after a change", n)
	}
}

// Contents are kept by all that decodes: another version of it may see other pixels.
func TestKeptHead(t *testing.T) {
	info := debug.BuildInfo{Deps: []*debug.Module{
		{Path: "github.com/disintegration/imaging", Version: "v1"}, {Path: "golang.org/x/term", Version: "v2"},
		{Path: "golang.org/x/image", Version: "v3", Replace: &debug.Module{Path: "our/image", Version: "v4"}},
	}}
	if got, want := decoders(&info, true), " github.com/disintegration/imaging@v1 our/image@v4"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.HasPrefix(keptHead, fmt.Sprintf("graft-contents-%d %s", keptDecoder, runtime.Version())) {
		t.Errorf("%q has no version", keptHead)
	}
}
