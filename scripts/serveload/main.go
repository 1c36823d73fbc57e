// Command serveload asks a running graft serve from many clients at once, or as nobody should; scripts/check_serve calls it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8080", "HOST:PORT of the server")
	images := flag.String("images", "", "folder of images that honest clients send")
	clients := flag.Int("clients", 64, "honest clients")
	length := flag.Duration("time", time.Minute, "how long they ask")
	hostile := flag.String("hostile", "", "folder of images from which hostile uploads are made; empty: none")
	flag.Parse()
	if err := run(*address, *images, *clients, *length, *hostile); err != nil {
		fmt.Fprintln(os.Stderr, "serveload:", err)
		os.Exit(1)
	}
}

// load is what honest clients met.
type load struct {
	mu     sync.Mutex
	labels map[int]string // of each image, as it was answered first
	took   []time.Duration
	faults []string
}

func run(address, images string, clients int, length time.Duration, hostile string) error {
	files, err := filepath.Glob(filepath.Join(images, "*"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no images in %s: %w", images, err)
	}
	var bodies [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		bodies = append(bodies, data)
	}
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	l := &load{labels: map[int]string{}}
	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	var next atomic.Int64
	start := time.Now()
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				l.ask(client, address, bodies, int(next.Add(1)-1)%len(bodies))
			}
		})
	}
	var refused string
	if hostile != "" {
		if refused, err = attack(ctx, address, hostile); err != nil {
			l.faults = append(l.faults, err.Error())
		}
		cancel()
	}
	all.Wait()
	took := time.Since(start).Seconds()
	slices.Sort(l.took)
	at := func(p float64) float64 { return float64(l.took[int(p*float64(len(l.took)-1))].Microseconds()) / 1000 }
	if len(l.took) == 0 {
		return errors.New("nothing was answered")
	}
	fmt.Printf("%d clients, %.0f s: %d answers, %.1f a second; p50 %.1f ms, p95 %.1f ms, p99 %.1f ms; %d errors\n",
		clients, took, len(l.took), float64(len(l.took))/took, at(0.5), at(0.95), at(0.99), len(l.faults))
	if refused != "" {
		fmt.Println(refused)
	}
	if len(l.faults) > 0 {
		return errors.New(strings.Join(l.faults[:min(5, len(l.faults))], "\n"))
	}
	return nil
}

// ask sends an image; every answer of one image must be the same.
func (l *load) ask(client *http.Client, address string, bodies [][]byte, i int) {
	start := time.Now()
	label, err := func() (string, error) {
		r, err := client.Post("http://"+address+"/v1/predict", "application/octet-stream", bytes.NewReader(bodies[i]))
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		data, err := io.ReadAll(r.Body)
		var a struct{ Predictions []struct{ Label string } }
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		if err != nil || r.StatusCode != http.StatusOK || len(a.Predictions) != 1 {
			return "", fmt.Errorf("image %d: status %d: %.200s (%w)", i, r.StatusCode, data, err)
		}
		return a.Predictions[0].Label, nil
	}()
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	first, known := l.labels[i]
	switch {
	case err != nil:
		l.faults = append(l.faults, err.Error())
		return
	case known && label != first:
		l.faults = append(l.faults, fmt.Sprintf("image %d: %s, and before %s", i, label, first))
	}
	l.labels[i] = label
	l.took = append(l.took, took)
}

// raw sends bytes as they are, slowly if pause is set, and returns the answer's status, 0 where the server only hung up.
func raw(ctx context.Context, address string, body io.Reader, pause time.Duration) (status int, sent int64, err error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		buf := make([]byte, 64<<10)
		for first := true; ; first = false { // what comes first comes at once
			if !first && pause > 0 {
				buf = buf[:1]
			}
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			n, err := body.Read(buf)
			m, bad := c.Write(buf[:n])
			if sent += int64(m); err != nil || bad != nil {
				return
			}
		}
	})
	answer, _ := io.ReadAll(io.LimitReader(c, 1<<16)) // to the end of the connection, however it comes
	close(stop)
	c.Close()
	wait.Wait()
	_, _ = fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status)
	return status, sent, nil
}
