package throughput_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/pretrained/extract/throughput"
	"graft/pretrained/vit/vittest"
)

func Example() {
	cases, err := throughput.Run(context.Background(), throughput.Config{Model: "vit_b_16.onnx", Batch: 8, Images: 64, Rounds: 5}, nil)
	if err != nil {
		fmt.Println("no backbone here")
		return
	}
	for _, c := range cases {
		fmt.Println(c.Name, c.ItemsPerSecond, c.Ratio)
	}
	// Output: no backbone here
}

func TestRun(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	var last int64
	cases, err := throughput.Run(context.Background(), throughput.Config{
		Model: vittest.WriteTiny(t, t.TempDir()), Seed: 1, Batch: 4, Images: 10, Rounds: 2, Dir: dir,
		Runtime: session.Options{Provider: session.CPU, Threads: 1},
	}, func(done, total int64) {
		if total != 4 || done != last+1 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || cases[0].Name != "extract/bare-session" || cases[1].Name != "extract/pipeline" {
		t.Fatalf("cases %+v", cases)
	}
	for _, c := range cases {
		if got := c.ItemsPerSecond * c.Seconds; !(got > 11.99 && got < 12.01) || c.Unit != "images" || c.Provider != "cpu" || c.Precision != "float32" || c.Batch != 4 {
			t.Errorf("%+v: %v images, want 12", c, got)
		}
	}
	if cases[1].Baseline != "extract/bare-session" || !(cases[1].Ratio > 0) || cases[0].Baseline != "" {
		t.Errorf("ratio %v over %q", cases[1].Ratio, cases[1].Baseline)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Photographs are decoded, squared, and compared on the same pixels.
func TestRunPhotos(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	cases, err := throughput.Run(context.Background(), throughput.Config{
		Model: vittest.WriteTiny(t, t.TempDir()), Seed: 1, Batch: 2, Images: 3, Rounds: 1, Photos: true, Dir: dir,
		Runtime: session.Options{Provider: session.CPU, Threads: 1},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.Name)
		if got := c.ItemsPerSecond * c.Seconds; !(got > 3.99 && got < 4.01) {
			t.Errorf("%+v: %v images, want 4", c, got)
		}
	}
	if want := []string{"extract-jpeg/bare-session", "extract-jpeg/decode-one-core", "extract-jpeg/pipeline"}; !slices.Equal(names, want) {
		t.Fatalf("cases %v, want %v", names, want)
	}
	if c := cases[2]; c.Baseline != "extract-jpeg/bare-session" || !(c.Ratio > 0) || !strings.Contains(c.Note, "is the bottleneck: to keep up") {
		t.Errorf("%+v", c)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]throughput.Config{
		"batch":  {Batch: -1, Images: 1, Rounds: 1},
		"images": {Batch: 1, Rounds: 1},
		"rounds": {Batch: 1, Images: 1},
	} {
		if _, err := throughput.Run(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "must be positive") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	c := throughput.Config{Arch: "vit_huge", Batch: 1, Images: 1, Rounds: 1}
	if _, err := throughput.Run(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "vit_huge") {
		t.Errorf("unknown architecture: %v", err)
	}
}
