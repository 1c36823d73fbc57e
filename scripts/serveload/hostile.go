package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// upload is something that nobody should send, and the statuses that may come of it; 0 is a connection that was ended.
type upload struct {
	name  string
	body  io.Reader
	pause time.Duration // between bytes
	want  []int
}

const header = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

// attack sends all of it, some at a time, and tells how often what came of it.
func attack(ctx context.Context, address, folder string) (told string, err error) {
	list, err := uploads(folder)
	if err != nil {
		return "", err
	}
	var mu sync.Mutex
	counts, most := map[string]int{}, int64(0)
	var bad error
	var all sync.WaitGroup
	places := make(chan struct{}, 128)
	for _, u := range list {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			status, sent, err := raw(ctx, address, u.body, u.pause)
			mu.Lock()
			defer mu.Unlock()
			counts[fmt.Sprint(status)]++
			most = max(most, sent)
			if err != nil || !slices.Contains(u.want, status) {
				bad = fmt.Errorf("%s: status %d (%w), want one of %v", u.name, status, err, u.want)
			}
		})
	}
	all.Wait()
	told = fmt.Sprintf("%d hostile uploads, of which the longest got %.1f MB in; statuses", len(list), float64(most)/1e6)
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		told += fmt.Sprintf(" %s: %d,", s, counts[s])
	}
	return told[:len(told)-1], bad
}

// uploads are broken images, pixel bombs, broken forms, bodies of 10 GB and slow clients, in any order.
func uploads(folder string) (list []upload, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.*"))
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.IsDir() || info.Size() == 0 || info.Size() > 1<<20 {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		for i := range 20 {
			broken := slices.Clone(data)
			for range 1 + r.IntN(8) {
				broken[r.IntN(len(broken))] = byte(r.IntN(256))
			}
			if i%3 == 0 {
				broken = broken[:r.IntN(len(broken))]
			}
			list = append(list, post(filepath.Base(f), broken, 200, 413, 415, 422))
		}
	}
	for range 20 {
		list = append(list, post("pixel bomb", bomb(50_000, 50_000), 413), post("pixels of a bomb", bomb(1<<31-1, 1<<31-1), 413, 422))
	}
	list = append(list, forms()...)
	for range 8 {
		list = append(list, upload{"10 GB, announced", io.MultiReader(text(header+"Content-Length: 10000000000\r\n\r\n"), io.LimitReader(filled{}, 10e9)), 0, []int{413, 0}},
			upload{"10 GB, in pieces", io.MultiReader(text(header+"Transfer-Encoding: chunked\r\n\r\n"), io.LimitReader(&chunks{}, 10e9)), 0, []int{413, 0}},
			upload{"10 GB form", io.MultiReader(text(header+"Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"), io.LimitReader(&chunks{}, 10e9)), 0, []int{400, 413, 0}})
	}
	for range 40 {
		list = append(list, upload{"slow header", io.MultiReader(text(header), text("X-Y: 1\r\nX-Z: 123456789\r\n")), 500 * time.Millisecond, []int{400, 408, 0}},
			upload{"slow body", io.MultiReader(text(header+"Content-Length: 100000\r\n\r\n\x89PNG"), filled{}), 100 * time.Millisecond, []int{408, 415, 0}})
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, nil
}

func text(s string) io.Reader { return bytes.NewReader([]byte(s)) }

func post(name string, body []byte, want ...int) upload {
	return upload{name, io.MultiReader(text(fmt.Sprintf("%sContent-Length: %d\r\n\r\n", header, len(body))), bytes.NewReader(body)), 0, want}
}

// bomb is a PNG of a few bytes that announces w×h pixels.
func bomb(w, h uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

// forms are broken in many ways.
func forms() (list []upload) {
	for _, f := range []string{"", "--x", "--x\r\n", "--x\r\n\r\n", "--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nGIF", "--y--\r\n",
		"--x\r\nContent-Disposition: form-data; name=a; filename=\"b\r\n\r\nGIF\r\n--x--\r\n", "--x--\r\n", "\x00\x01\x02"} {
		list = append(list, upload{fmt.Sprintf("form %q", f), text(fmt.Sprintf("%sContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n%s", header, len(f), f)), 0, []int{400}})
	}
	return list
}

// filled never ends.
type filled struct{}

func (filled) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// chunks is an endless body in HTTP's pieces.
type chunks struct{ left []byte }

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		c.left = append(append([]byte("8000\r\n"), bytes.Repeat([]byte("a"), 0x8000)...), "\r\n"...)
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}
