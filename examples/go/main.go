// Command classify shows how a program outside graft's module uses its packages. It
// names the classes of photographs, or answers for them over HTTP:
//
//	go run . photos.onnx photo.jpg
//	go run . -addr 127.0.0.1:8080 photos.onnx
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"graft/finetune/model"
)

func main() {
	addr := flag.String("addr", "", "answer over HTTP at this `address`")
	flag.Parse()
	if *addr == "" && flag.NArg() < 2 || *addr != "" && flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: classify MODEL PHOTO…, or classify -addr HOST:PORT MODEL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *addr != "" {
		if err := serve(ctx, *addr, flag.Arg(0)); err != nil {
			log.Fatal(err)
		}
		return
	}
	for _, photo := range flag.Args()[1:] {
		answer, err := classify(ctx, flag.Arg(0), photo)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s, %.1f%%\n", photo, answer.Label, 100*answer.Scores[0].Probability)
	}
}

// classify names a photograph's class, and the probability of each. Of many, open the model once.
func classify(ctx context.Context, network, photo string) (model.Prediction, error) {
	p, err := model.Open(ctx, network, model.Options{}) // what graft export wrote, or a run's folder
	if err != nil {
		return model.Prediction{}, err
	}
	defer p.Close()
	return p.File(ctx, photo)
}

// serve answers until ctx ends.
func serve(ctx context.Context, addr, network string) error {
	p, err := model.Open(ctx, network, model.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	server := &http.Server{Addr: addr, Handler: handler(p), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() { // lets requests under way end before the model is closed
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(last)
	}()
	log.Printf("listening on %s: curl --data-binary @photo.jpg http://%s", addr, addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return <-stopped
}
