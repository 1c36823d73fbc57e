package train

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/load"
	"graft/finetune/run"
)

func TestClassWeightsInNumbers(t *testing.T) {
	classes, labels := []string{"a", "b=c", "d"}, []int{0, 0, 0, 1, 2, 2}
	for word, want := range map[string][]float64{
		"": nil, "none": nil, "balanced": {6. / 9, 2, 1}, "1,5, 0.5": {1, 5, 0.5}, "d=2.5": {1, 1, 2.5}, "b=c=3, a=0": {0, 3, 1},
	} {
		i := Imbalance{ClassWeights: word}
		got, err := i.weights(labels, classes)
		if err := i.check(); err != nil {
			t.Errorf("%q: %v", word, err)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: weights %v (%v), want %v", word, got, err, want)
		}
	}
	for word, want := range map[string]string{
		"odd": `"odd"; want none, balanced, a number`, "1,,2": `""; want`, "a=1,2": `"2"; want`, "1,-2,3": `"-2"; want`, "a=NaN": `"a=NaN"; want`, "a=": `"a="; want`,
	} {
		runtest.WantError(t, Imbalance{ClassWeights: word}.check(), "class weights", want)
	}
	for word, want := range map[string]string{
		"1,2": "2 numbers for the 3 classes a, b=c, d", "e=2": `no class "e"; there are a, b=c, d`, "2,2,2": "no effect", "a=1": "no effect",
	} {
		_, err := Imbalance{ClassWeights: word}.weights(labels, classes)
		runtest.WantError(t, err, want)
	}
}

// Numbers that are the balanced ones give the balanced heads, whatever the recipe.
func TestClassWeightsReachTheTraining(t *testing.T) {
	dir := t.TempDir()
	embeddings := runtest.Store(t, dir, runtest.Usual())
	for _, recipe := range []string{run.RecipeLBFGS, run.RecipeStudy} {
		weights := map[string]map[string][]float32{}
		for name, words := range map[string]string{"balanced": "balanced", "numbers": "", "none": "none", "one": "sad=3"} {
			c := HeadConfig{Embeddings: embeddings, Out: filepath.Join(dir, recipe+name), Taps: []string{"mean"}, Recipe: recipe, Seed: 3}
			if c.ClassWeights = words; words == "" {
				c.ClassWeights = balancedWord(t, embeddings)
			}
			r := trainUsual(t, c).Run
			if r.Config.Head.ClassWeights != c.ClassWeights {
				t.Errorf("recorded %q, want %q", r.Config.Head.ClassWeights, c.ClassWeights)
			}
			weights[name] = r.Weights
		}
		if !reflect.DeepEqual(weights["balanced"], weights["numbers"]) {
			t.Errorf("%s: numbers and balanced differ", recipe)
		}
		if reflect.DeepEqual(weights["none"], weights["numbers"]) || reflect.DeepEqual(weights["none"], weights["one"]) {
			t.Errorf("%s: weights of classes do nothing", recipe)
		}
	}
}

// balancedWord are the balanced weights of a store's train split as numbers.
func balancedWord(t *testing.T, embeddings string) string {
	t.Helper()
	s, err := openStore(t.Context(), embeddings, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := load.ReadFeatures(s.Store, s.taps, "train", false)
	if err != nil {
		t.Fatal(err)
	}
	numbers, _ := Imbalance{ClassWeights: WeightsBalanced}.weights(f.Labels, s.Classes())
	data, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	return string(data[1 : len(data)-1])
}

// The head is the one that scipy finds; see scripts/fixtures_calibration.py.
func TestLogitAdjustAgreesWithScipy(t *testing.T) {
	data, err := os.ReadFile("testdata/logit_adjust.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Dim, Classes int
		Tau, Lambda  float64
		Features     []float32
		Labels       []int
		Logits       []float64
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	f := load.Features{X: c.Features, Dim: c.Dim}
	f.Labels = c.Labels
	out, err := fitLBFGS(t.Context(), f, nil, []string{"a", "b", "c"}, lbfgs{lambda: &c.Lambda, Imbalance: Imbalance{LogitAdjust: c.Tau}}, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	var h heldOut
	x, _ := f.Examples()
	if err := h.ask(t.Context(), out.net, out.weights, x, 1); err != nil {
		t.Fatal(err)
	}
	bias := out.weights[tensorBias]
	mean := float64(bias[0]+bias[1]+bias[2]) / 3
	for i, want := range c.Logits {
		if got := float64(h.logits[i]) - mean; !(math.Abs(got-want) <= 2e-3) {
			t.Errorf("row %d, class %d: logit %.5f, want %.5f", i/3, i%3, got, want)
		}
	}
}

// The rare class is found more often, by either kind of recipe; what was held out is judged by the same head.
func TestLogitAdjustOfRecipes(t *testing.T) {
	dir := t.TempDir()
	embeddings := runtest.Store(t, dir, runtest.Usual())
	for _, recipe := range []string{run.RecipeLBFGS, run.RecipeStudy} {
		var biases [][]float32
		for _, tau := range []float64{0, 1} {
			c := HeadConfig{Embeddings: embeddings, Out: filepath.Join(dir, recipe+string(rune('0'+int(tau)))), Taps: []string{"mean"}, Recipe: recipe, Seed: 3}
			c.LogitAdjust = tau
			r := trainUsual(t, c).Run
			if r.Config.Head.LogitAdjust != tau || r.Config.Training != nil && r.Config.Training.LogitAdjust != tau {
				t.Errorf("%s: τ %g is recorded as %+v, %+v", recipe, tau, r.Config.Head, r.Config.Training)
			}
			biases = append(biases, r.Weights[tensorBias])
		}
		if slices.Equal(biases[0], biases[1]) {
			t.Errorf("%s: logit adjustment does nothing", recipe)
		}
	}
}

func TestLogitAdjustRefuses(t *testing.T) {
	classes := []string{"a", "b"}
	for _, tau := range []float64{-1, math.NaN(), math.Inf(1)} {
		runtest.WantError(t, Imbalance{LogitAdjust: tau}.check(), "logit adjustment", "want above 0")
	}
	_, err := Imbalance{LogitAdjust: 1}.offsets([]int{0, 1, 1, 0}, classes)
	runtest.WantError(t, err, "no effect", "all classes have 2 samples")
	_, err = Imbalance{LogitAdjust: 1}.offsets([]int{1, 1}, classes)
	runtest.WantError(t, err, "class a has no training sample")
	got, err := Imbalance{LogitAdjust: 2}.offsets([]int{0, 1, 1, 1}, classes)
	if want := []float64{2 * math.Log(0.25), 2 * math.Log(0.75)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("offsets %v (%v), want %v", got, err, want)
	}
}
