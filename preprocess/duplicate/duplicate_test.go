package duplicate_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"runtime"
	"slices"
	"testing"

	"github.com/disintegration/imaging"

	"graft/preprocess"
	"graft/preprocess/duplicate"
	"graft/preprocess/synthetic"
)

func ExampleGroups() {
	face, other := synthetic.Face(1, 0, 3), synthetic.Face(1, 1, 3)
	fmt.Println(duplicate.Groups([]duplicate.Content{duplicate.Of(other), duplicate.Of(face), duplicate.Of(face.Mirror())}))
	// Output: [0 1 1]
}

// Planes that are equal are a gray image, whatever the file says; a pixel more or
// less, or the same pixels in another shape, are another.
func TestKey(t *testing.T) {
	gray := synthetic.Face(1, 0, 3)
	rgb := preprocess.Image{C: 3, H: gray.H, W: gray.W, Pix: slices.Repeat(gray.Pix, 3)}
	if duplicate.Of(gray) != duplicate.Of(rgb) {
		t.Error("a gray image saved as RGB has another content")
	}
	long := gray
	long.H, long.W = gray.H*2, gray.W/2
	changed := preprocess.Image{C: 1, H: gray.H, W: gray.W, Pix: slices.Clone(gray.Pix)}
	changed.Pix[7]++
	rgb.Pix = slices.Clone(rgb.Pix)
	rgb.Pix[len(rgb.Pix)-1]++
	for name, im := range map[string]preprocess.Image{"shape": long, "pixel": changed, "colour": rgb} {
		if duplicate.Of(im).Key == duplicate.Of(gray).Key {
			t.Errorf("another %s, and the same key", name)
		}
	}
}

// altered are copies of an image as they are found in the wild.
func altered(t *testing.T, im preprocess.Image) map[string]preprocess.Image {
	src := im.ToImage()
	of := func(i image.Image) preprocess.Image {
		n := imaging.Clone(i)
		out := preprocess.New(1, n.Rect.Dy(), n.Rect.Dx())
		for k := range out.Pix {
			out.Pix[k] = n.Pix[4*k]
		}
		return out
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, src, &jpeg.Options{Quality: 40}); err != nil {
		t.Fatal(err)
	}
	lossy, err := jpeg.Decode(&file)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]preprocess.Image{
		"recoded":  of(lossy),
		"enlarged": of(imaging.Resize(src, 224, 224, imaging.Linear)),
		"lighter":  of(imaging.AdjustBrightness(src, 8)),
		"duller":   of(imaging.AdjustContrast(src, -20)),
		"mirrored": im.Mirror(),
		"cropped":  of(imaging.Crop(src, image.Rect(1, 0, im.W, im.H-1))),
	}
}

func TestCopiesAreJoinedAndOthersAreNot(t *testing.T) {
	var images []duplicate.Content
	var want []int
	var names []string
	for i := range 40 {
		face := synthetic.Face(5, uint64(i), i%7)
		first := len(images)
		images, want, names = append(images, duplicate.Of(face)), append(want, first), append(names, "original")
		for name, im := range altered(t, face) {
			images, want, names = append(images, duplicate.Of(im)), append(want, first), append(names, name)
		}
	}
	got := duplicate.Groups(images)
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("image %d (%s) is in group %d, want %d; cosine %.4f", i, names[i], got[i], want[i], images[i].Print.Cosine(images[want[i]].Print))
		}
	}
}

// Without contrast there is no print: blank images are equal or not, but never near.
func TestFlatImages(t *testing.T) {
	black, gray := preprocess.New(1, 48, 48), preprocess.New(1, 48, 48)
	for i := range gray.Pix {
		gray.Pix[i] = 128 + uint8(i%3)
	}
	images := []duplicate.Content{duplicate.Of(black), duplicate.Of(gray), duplicate.Of(black), duplicate.Of(preprocess.New(1, 1, 1)), {}, {}}
	if got := duplicate.Groups(images); !slices.Equal(got, []int{0, 1, 0, 3, 4, 5}) {
		t.Errorf("groups %v", got)
	}
}

// A print is the discrete cosine transform that scipy computes:
//
//	y, x = numpy.mgrid[0:16, 0:16]; im = (x * x * 3 + y * 40 + x * y * 7) % 256
//	c = scipy.fft.dctn(im.astype(float), norm="ortho")[:8, :8]; c[0, 0] = 0
//	numpy.rint(127 * c / abs(c).max())
func TestPrintIsTheCosineTransform(t *testing.T) {
	im := preprocess.New(1, 16, 16)
	for i := range im.Pix {
		x, y := i%16, i/16
		im.Pix[i] = uint8((x*x*3 + y*40 + x*y*7) % 256)
	}
	if got := duplicate.Of(im).Print; !slices.Equal(got[:], scipyPrint) {
		t.Errorf("got %v", got)
	}
}

// Names of the user's join what does not look alike, and what nobody looked at.
func TestNamesJoin(t *testing.T) {
	var images []duplicate.Content
	for i, name := range []string{"ann", "bob", "eve", "eve", "bob", "", ""} {
		c := duplicate.Of(synthetic.Face(2, uint64(i%6), 0))
		c.Group = name
		images = append(images, c)
	}
	images[6] = images[0] // a copy of ann's, under no name
	images[6].Group = ""
	images = append(images, duplicate.Content{Group: "eve"})
	if got := duplicate.Groups(images); !slices.Equal(got, []int{0, 1, 2, 2, 1, 5, 0, 2}) {
		t.Errorf("joined %v", got)
	}
}

// Each core finds some pairs for itself: the groups are the same on any number.
func TestGroupsOnAnyCores(t *testing.T) {
	var images []duplicate.Content
	for i := range 150 {
		face := synthetic.Face(5, uint64(i), i%7)
		images = append(images, duplicate.Of(face), duplicate.Of(face.Mirror()))
		for _, im := range altered(t, face) {
			images = append(images, duplicate.Of(im))
		}
	}
	want := duplicate.Groups(images)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, cores := range []int{1, 3, 9} {
		runtime.GOMAXPROCS(cores)
		if got := duplicate.Groups(images); !slices.Equal(got, want) {
			t.Errorf("%d cores give other groups", cores)
		}
	}
}

func TestSeen(t *testing.T) {
	var faces []duplicate.Content
	for i := range 4 {
		faces = append(faces, duplicate.Of(synthetic.Face(9, uint64(i), i)))
	}
	near := duplicate.Of(synthetic.Face(9, 1, 1).Mirror())
	seen, group := duplicate.Seen([]duplicate.Content{faces[0], near, faces[2], faces[0], {}}, []duplicate.Content{faces[3], faces[1]})
	if !slices.Equal(seen, []bool{false, true, false, false, false}) || group[0] != group[3] || group[0] == group[2] {
		t.Errorf("seen %v, groups %v", seen, group)
	}
}

func BenchmarkOf(b *testing.B) {
	face := synthetic.Face(1, 0, 3)
	for b.Loop() {
		duplicate.Of(face)
	}
}

func BenchmarkGroups(b *testing.B) {
	images := make([]duplicate.Content, 20000)
	for i := range images {
		images[i] = duplicate.Of(synthetic.Face(1, uint64(i), i%7))
	}
	for b.Loop() {
		duplicate.Groups(images)
	}
}

var scipyPrint = []int8{0, -17, -69, -6, 1, -28, 44, -10, -27, -42, 0, -43, 69, -28, -15, 17, 22, -127, -59, -24, -61, 42, -62, 33, -16, -48, -62, -47, 0, 1, 3, -24, -121, -64, -68, -24, -27, 66, -66, 16, -60, -81, -18, 49, -8, 26, 2, 44, 64, -58, -1, 89, 103, 21, 54, 70, 10, -28, 15, -14, 30, 48, -55, -68}
