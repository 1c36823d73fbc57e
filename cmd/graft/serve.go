package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/finetune/model"
	"graft/report/show"
	"graft/serve"
)

// envToken is the variable with the token, for those who have no file.
const envToken = "GRAFT_SERVE_TOKEN"

// shortestToken is how many characters nobody guesses.
const shortestToken = 16

// serveCommand answers over HTTP.
func serveCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "a page and an API on this machine",
		ArgsUsage: "MODEL",
		Description: `MODEL is a run folder, or an ONNX file that graft export wrote. Photographs are dropped on the page, or sent:

   graft serve runs/head
   curl --data-binary @photo.jpg http://127.0.0.1:8080/v1/predict

Nothing is stored unless --keep says where. Other machines are answered where --addr is theirs too, and only with the
token: graft serve runs/head --addr 0.0.0.0:8080 --token-file token. docs/serve.md has the API.`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:8080", Usage: "`HOST:PORT` to listen on; port 0 takes a free one"},
			&cli.StringFlag{Name: "token-file", Usage: "`FILE` with the token that requests must bear (or set " + envToken + ")"},
			&cli.StringFlag{Name: "cors", Usage: "let pages of this `ORIGIN` ask, such as https://example.org"},
			&cli.StringFlag{Name: "keep", Usage: "store the images that were classified in `FOLDER`"},
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			atLeast(1, &cli.IntFlag{Name: "max-bytes", Value: 16 << 20, Usage: "refuse images of more than `N` bytes"}),
			atLeast(1, &cli.IntFlag{Name: "max-pixels", Value: 25_000_000, Usage: "refuse images of more than `N` pixels"}),
			atLeast(1, &cli.IntFlag{Name: "max-images", Value: 64, Usage: "refuse requests of more than `N` images"}),
			atLeast(1, &cli.IntFlag{Name: "queue", Value: 256, Usage: "let `N` images wait; more are refused with status 429"}),
			atLeast(0, &cli.IntFlag{Name: "batch", Usage: "let `N` images share a run of the network at most (0: what suits the model)"}),
			positive(&cli.DurationFlag{Name: "batch-wait", Value: 2 * time.Millisecond, Usage: "let an image wait so `LONG` for others"}),
			positive(&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "give a request so `LONG` to arrive, and again to be answered"}),
			positive(&cli.DurationFlag{Name: "grace", Value: time.Second, Usage: "when stopped, fail /readyz so `LONG` before no more requests are taken"}),
		}, faceFlags(), providerFlags(), foreignFlags()),
		Action: serveModel,
	}
}

// positive is a flag for a time above none.
func positive(f *cli.DurationFlag) cli.Flag {
	f.Action = func(_ *cli.Context, d time.Duration) error {
		if d <= 0 {
			return usageErrorf("--%s %v, want more than no time", f.Name, d)
		}
		return nil
	}
	return f
}

func serveModel(c *cli.Context) (err error) {
	path := c.Args().First()
	if err := refuseBackbone(c, path); err != nil {
		return err
	}
	config, err := serveConfig(c)
	if err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	if config.Detector, err = openFaces(c, o.Runtime, true); err != nil {
		return err
	}
	if config.Detector != nil {
		defer closeInto(&err, config.Detector)
	}
	if config.Model, err = model.Open(c.Context, path, model.Options{Runtime: o.Runtime, Model: c.String("model"), Foreign: o.Foreign, Many: true}); err != nil {
		return err
	}
	defer closeInto(&err, config.Model)
	watcher := show.NewWatcher(show.Config{Model: path, Backbone: c.String("model"), Foreign: o.Foreign, Threads: c.Int("threads")})
	defer closeInto(&err, watcher)
	config.Watcher, config.Name, config.Notes = watcher, filepath.Base(filepath.Clean(path)), config.Model.Notes()
	for _, n := range config.Notes {
		logf(c, "note: %s", n)
	}
	s, err := serve.New(c.Context, config)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := new(net.ListenConfig).Listen(c.Context, "tcp", c.String("addr"))
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "http://%s\n", l.Addr())
	return s.Run(c.Context, l)
}

// serveConfig reads to whom is answered, and how much.
func serveConfig(c *cli.Context) (config serve.Config, err error) {
	config.Limits = serve.Limits{Bytes: int64(c.Int("max-bytes")), Pixels: int64(c.Int("max-pixels")), Images: c.Int("max-images"), Queue: c.Int("queue"),
		Memory: max(256<<20, 4*int64(c.Int("max-bytes"))), Time: c.Duration("timeout"), Wait: c.Duration("batch-wait"), Batch: c.Int("batch")}
	if l := config.Limits; l.Queue < l.Images {
		return config, usageErrorf("--queue %d: a request may have %d images, which must find their places; raise it, or lower --max-images", l.Queue, l.Images)
	}
	config.Origin, config.Keep, config.Grace = c.String("cors"), c.String("keep"), c.Duration("grace")
	config.Log = func(format string, args ...any) { warnf(c, format, args...) }
	addr, err := net.ResolveTCPAddr("tcp", c.String("addr"))
	if err != nil {
		return config, usageErrorf("--addr: %w", err)
	}
	config.Loopback = addr.IP.IsLoopback()
	config.Token = os.Getenv(envToken)
	if path := c.String("token-file"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return config, err
		}
		config.Token = strings.TrimSpace(string(data))
		if config.Token == "" {
			return config, fmt.Errorf("%s is empty; want a token", path)
		}
	}
	switch n := len(config.Token); {
	case n == 0 && !config.Loopback:
		return config, usageErrorf("--addr %s is open to other machines; that wants a token, by --token-file or %s", c.String("addr"), envToken)
	case n > 0 && n < shortestToken:
		return config, fmt.Errorf("a token of %d characters can be guessed; want %d or more", n, shortestToken)
	}
	return config, nil
}
