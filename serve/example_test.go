package serve_test

import (
	"context"
	"fmt"
	"net"

	"graft/finetune/model"
	"graft/serve"
)

// A model is served until the context ends. The server is also an http.Handler.
func ExampleServer() {
	ctx := context.Background()
	p, err := model.Open(ctx, "runs/head", model.Options{Many: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	s, err := serve.New(ctx, serve.Config{Model: p, Name: "head", Loopback: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Run(ctx, l); err != nil {
		fmt.Println(err)
	}
}
