package throughput

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"graft/internal/measure"
)

// keepsUp is the share of the bare session's rate from which on the network and
// not the host decides.
const keepsUp = 0.97

// photoCases adds how fast one core decodes, and with that what holds the
// pipeline up.
func (r *rig) photoCases(ctx context.Context, p measure.Pairs) ([]measure.Case, error) {
	times := make([]time.Duration, r.Rounds)
	for i := range times {
		var err error
		if times[i], err = r.decodeAlone(ctx); err != nil {
			return nil, err
		}
	}
	both := r.cases(p, casePhotoSession, casePhotoExtract)
	decode := r.oneCase(casePhotoDecode, times)
	decode.Provider, decode.Precision, decode.Batch, decode.Streams = "go", "uint8", 1, 0
	both[1].Note = verdict(both[1].Ratio, both[0].ItemsPerSecond/decode.ItemsPerSecond, r.Runtime.Threads)
	return []measure.Case{both[0], decode, both[1]}, nil
}

// decodeAlone decodes and prepares all images on one core.
func (r *rig) decodeAlone(ctx context.Context) (time.Duration, error) {
	// imaging would spread over all cores.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	start := time.Now()
	for i := range r.Images {
		im, err := r.data.Image(ctx, i)
		if err != nil {
			return 0, err
		}
		r.backbone.Prepare(im)
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// verdict says which side is the bottleneck, from the pipeline's share of the
// network's rate, the cores that decoding at that rate takes, and the threads that
// the session and decoding may have each (0: all).
func verdict(ratio, needs float64, threads int) string {
	cores := runtime.NumCPU()
	if threads == 0 || threads > cores {
		threads = cores
	}
	side := "other work on this machine, or starting up (try more --images),"
	switch {
	case ratio >= keepsUp:
		side = "the network"
	case needs > float64(threads):
		side = "decoding"
	case needs > float64(cores-threads):
		side = "the processor, which network and decoding share,"
	}
	return fmt.Sprintf("%s is the bottleneck: to keep up with the network, which takes %d of %d cores, decoding needs %.2f", side, threads, cores, needs)
}
