package rank

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// answers are 1000 of which so many are right, which ones the name decides.
func answers(name string, correct int) []bool {
	right := make([]bool, 1000)
	for i := range correct {
		right[i] = true
	}
	seed := uint64(0)
	for _, b := range []byte(name) {
		seed = 31*seed + uint64(b)
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(1000, func(i, j int) { right[i], right[j] = right[j], right[i] })
	return right
}

// backbone is one whose best tap's probe got so many of 1000 right.
func backbone(name string, rate float64, correct int) Backbone {
	b := Backbone{Name: name, Images: 1000, ImagesPerSecond: rate, Seconds: 1000 / rate, Parameters: 5.7e6, Bytes: 23e6}
	for _, t := range []struct {
		name       string
		knn, probe int
	}{{"cls", 40, 100}, {"mean", 50, 0}, {"mean_9", 60, 5}} {
		right := answers(name+t.name, correct-t.probe)
		b.Taps = append(b.Taps, Tap{t.name, 192, newScore(answers(name, correct-t.knn)), newScore(right), right})
	}
	return b
}

func TestConclude(t *testing.T) {
	for _, c := range []struct {
		name             string
		list             []Backbone
		take, order      string
		equal            int
		inText, notIntxt string
	}{
		{"alone", []Backbone{backbone("a", 50, 500)}, "a", "a", 1, "Take a with tap mean (another is as good): probe 50.0% (46.9–53.1).", "next"},
		{"clear", []Backbone{backbone("a", 50, 500), backbone("b", 5, 600)}, "b", "b a", 1, "the next, a, has 10.0 points less (5.", "told"},
		{"equal, the best is fastest", []Backbone{backbone("a", 50, 600), backbone("b", 5, 590), backbone("c", 99, 300)}, "a", "a b c", 2, "b is not to be told from it on 1000 images", "c"},
		{"equal, another is faster", []Backbone{backbone("slow", 5, 600), backbone("fast", 50, 590), backbone("middle", 20, 595)}, "fast", "slow middle fast", 3,
			"slow, middle are not to be told from it on 1000 images, and it is the fastest of them (50 images/s, slow 5)", "below"},
		{"tie", []Backbone{backbone("slow", 5, 600), backbone("fast", 50, 600)}, "fast", "fast slow", 2, "slow is not to be told from it", "below"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Report{Backbones: c.list}
			r.conclude()
			var order []string
			for _, b := range r.Backbones {
				order = append(order, b.Name)
			}
			got := r.Recommendation
			if got.Backbone != c.take || got.Tap != "mean" || len(got.Equal) != c.equal || strings.Join(order, " ") != c.order {
				t.Errorf("recommends %+v, in the order %v", got, order)
			}
			if !strings.Contains(got.Text, c.inText) || strings.Contains(got.Text, c.notIntxt) {
				t.Errorf("says %q, want %q and not %q", got.Text, c.inText, c.notIntxt)
			}
		})
	}
}

func TestWriteTable(t *testing.T) {
	random := backbone("dice.onnx", 48, 200)
	random.Random, random.BadImages = true, 3
	r := Report{Data: "faces.zip", Splits: []string{"train"}, Images: 1000, Neighbours: neighbours, Folds: folds,
		Backbones: []Backbone{random, backbone("vit.onnx", 52.04, 500)}}
	r.conclude()
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `1000 images of faces.zip (train), every class by its share; 95% intervals
k-NN: 20 nearest of the other images, weighted votes
probe: logistic regression, 5-fold cross-validation

backbone   weights  file   images/s  seconds
vit.onnx   5.7M     23 MB  52.0      19.2
dice.onnx  5.7M     23 MB  48.0      20.8

backbone   tap     width  k-NN               probe
vit.onnx   mean    192    45.0% (41.9–48.1)  50.0% (46.9–53.1)
           mean_9  192    44.0% (41.0–47.1)  49.5% (46.4–52.6)
           cls     192    46.0% (42.9–49.1)  40.0% (37.0–43.1)
dice.onnx  mean    192    15.0% (12.9–17.3)  20.0% (17.6–22.6)
           mean_9  192    14.0% (12.0–16.3)  19.5% (17.2–22.1)
           cls     192    16.0% (13.9–18.4)  10.0% (8.3–12.0)

probes of the best taps on the same images, points of accuracy; exact McNemar
  test, p corrected by Holm
                      difference  95% interval    p        corrected  verdict
vit.onnx − dice.onnx  +30.0       +26.1 to +34.1  1.7e-43  1.7e-43    vit.onnx
                                                                      is better

note: dice.onnx has no pretrained weights: they were drawn at random.
note: 3 of the drawn images could not be read.
Take vit.onnx with tap mean (another is as good): probe 50.0% (46.9–53.1); the
  next, dice.onnx, has 30.0 points less (26.1 to 34.1, p 1.7e-43).
`
	if got := b.String(); got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
}
