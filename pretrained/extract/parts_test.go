package extract_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"graft/onnx/ort/orttest"
	"graft/preprocess/dataset"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

func TestPart(t *testing.T) {
	data := faces(t, 30)
	c := extract.Config{Data: data, Backbone: &fake{}, Out: filepath.Join(t.TempDir(), "e"), Batch: 3, ShardRows: 8, Part: store.Part{I: 1, N: 3}}
	var last, of int64
	sum, err := extract.Run(context.Background(), c, func(done, total int64) { last, of = done, total })
	if err != nil || sum.Part != "1/3" || sum.Rows != 8 || last != 8 || of != 8 {
		t.Fatalf("%+v, progress %d of %d, %v; want shard 1 of 4", sum, last, of, err)
	}
	if !slices.Equal(sum.State.Missing, []int{0, 2, 3}) || sum.State.Rows != 8 || sum.State.Shards != 4 {
		t.Errorf("state %+v", sum.State)
	}
	c.Part = store.Part{}
	if sum, err = extract.Run(context.Background(), c, nil); err != nil || sum.Resumed != 8 || sum.Rows != 30 || !sum.State.Complete() {
		t.Errorf("the rest: %+v, %v", sum, err)
	}
}

// A store keeps the batch that it was begun with, unless another is insisted on.
func TestBatchIsKept(t *testing.T) {
	data, b := faces(t, 20), &fake{}
	c := extract.Config{Data: data, Backbone: b, Out: filepath.Join(t.TempDir(), "e"), Batch: 5, ShardRows: 10, Part: store.Part{I: 0, N: 2}}
	if _, err := extract.Run(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	c.Part, c.Batch, c.KeepBatch = store.Part{}, 4, true
	if _, err := extract.Run(context.Background(), c, nil); err == nil {
		t.Error("another batch was accepted")
	}
	for _, n := range []int{4, 9} { // smaller, and larger than the buffers would be
		c.Batch, c.KeepBatch, b.sizes = n, false, nil
		if sum, err := extract.Run(context.Background(), c, nil); err != nil || sum.Batch != 5 {
			t.Errorf("batch %d: %+v, %v", n, sum, err)
		}
		if n == 4 && !slices.Equal(b.sizes, []int{5, 5}) {
			t.Errorf("batches of %v, want the store's", b.sizes)
		}
	}
}

// TestKillOnePart: four processes make one store, each is killed now and then and
// started again, and all bytes are those of one process that was left alone.
func TestKillOnePart(t *testing.T) {
	const parts = 4
	for _, name := range []string{"fake", "network"} {
		t.Run(name, func(t *testing.T) {
			model := ""
			if name == "network" {
				orttest.Require(t)
				model = vittest.WriteTiny(t, t.TempDir())
			}
			data := pictures(t, 90, 0, 13, 40, 41, 89)
			whole, shared := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
			took := startChild(t, data, model, whole).wait(t)
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
			kills := 0
			for range 5 {
				var started []*process
				for i := range parts {
					started = append(started, startPart(t, data, model, shared, fmt.Sprintf("%d/%d", i, parts)))
				}
				time.Sleep(time.Duration(rng.Float64() * 0.5 * float64(took)))
				for _, i := range rng.Perm(parts)[:2] {
					if started[i].kill(t) {
						kills++
					}
					started[i] = startPart(t, data, model, shared, fmt.Sprintf("%d/%d", i, parts))
				}
				for _, p := range started {
					if p.kill(t) {
						kills++
					}
				}
			}
			var started []*process
			for i := range 2 * parts { // and each part twice at once
				started = append(started, startPart(t, data, model, shared, fmt.Sprintf("%d/%d", i%parts, parts)))
			}
			for _, p := range started {
				p.wait(t)
			}
			t.Logf("%d kills; one process alone takes %v", kills, took)
			if kills == 0 {
				t.Error("no extraction was killed: nothing was tested")
			}
			sameFiles(t, whole, shared)
		})
	}
}

// Eight begin at once where nothing is.
func TestEightBeginAtOnce(t *testing.T) {
	path := pictures(t, 64, 3, 50)
	whole, shared := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	run := func(data *dataset.Dataset, out string, p store.Part) {
		c := extract.Config{Data: data, Backbone: &fake{}, Out: out, Batch: 3, ShardRows: 4, Part: p}
		if _, err := extract.Run(context.Background(), c, nil); err != nil {
			t.Errorf("part %v: %v", p, err)
		}
	}
	run(openData(t, path), whole, store.Part{})
	var wg sync.WaitGroup
	for i := range 8 {
		data := openData(t, path)
		wg.Go(func() { run(data, shared, store.Part{I: i, N: 8}) })
	}
	wg.Wait()
	sameFiles(t, whole, shared)
}
