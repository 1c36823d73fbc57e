package serve

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// figures are what /metrics tells.
type figures struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by path and status
	seconds  *prometheus.HistogramVec // by path
	batches  prometheus.Histogram     // images
	images   *prometheus.CounterVec   // by what became of them
	waiting  prometheus.Gauge         // images
}

func newFigures() *figures {
	f := &figures{registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graft_requests_total", Help: "Requests by path and status."}, []string{"path", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "graft_request_seconds", Help: "Seconds from a request's header to its answer's end, by path.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"path"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "graft_batch_images", Help: "Images that went through the network together.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64}}),
		images:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graft_images_total", Help: "Images by what became of them."}, []string{"outcome"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graft_waiting_images", Help: "Images that wait for the network or are in it."}),
	}
	f.registry.MustRegister(f.requests, f.seconds, f.batches, f.images, f.waiting,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return f
}

func (f *figures) handler() http.Handler {
	return promhttp.HandlerFor(f.registry, promhttp.HandlerOpts{})
}
