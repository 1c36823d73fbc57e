package checkpoint_test

import (
	"fmt"
	"os"
	"path/filepath"

	"graft/pretrained/checkpoint"
)

// A checkpoint of torch: what it holds, and one of its tensors.
func ExampleOpen() {
	f, err := checkpoint.Open("testdata/wrapped.pth", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range f.Names()[:2] {
		info, _ := f.Info(name)
		fmt.Println(info.Name, info.DType, info.Shape)
	}
	bias, err := f.Float32("0.bias")
	fmt.Println(len(bias), err)
	fmt.Println(f.Notes())
	// Output:
	// 0.bias F32 [3]
	// 0.weight F32 [3 4]
	// 3 <nil>
	// [tensors taken from "model" left out of the file: "args, best, epoch, optimizer"]
}

// A pickle that would run a command is refused, and says what it asked for.
func ExampleOpen_malicious() {
	_, err := checkpoint.Open("testdata/evil_os_system_2.pth", "")
	fmt.Println(err)
	// Output:
	// weights file testdata/evil_os_system_2.pth: archive/data.pkl: the pickle asks for "posix.system", which is none of what a state dict needs; nothing was executed (save the weights alone: torch.save(model.state_dict(), F))
}

func ExampleWriteSafetensors() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "head.safetensors")
	head := checkpoint.Tensor{Name: "head.weight", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}
	if err := checkpoint.WriteSafetensors(path, []checkpoint.Tensor{head}, map[string]string{"format": "pt"}); err != nil {
		fmt.Println(err)
	}
	f, err := checkpoint.Open(path, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	data, _ := f.Float32("head.weight")
	fmt.Println(data)
	// Output: [1 2 3 4]
}
