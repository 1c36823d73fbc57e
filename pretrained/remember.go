package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/atomicfile"
	"graft/internal/schema"
	"graft/onnx/session"
)

// remembered is what auto tries on a machine, as graft bench --remember measured it there.
type remembered struct {
	Machine string             `json:"machine"`
	Order   []session.Provider `json:"order"`
}

func rememberedPath() (string, error) {
	base, err := os.UserCacheDir()
	return filepath.Join(base, "graft", "providers.json"), err
}

// Remember has auto try providers in this order on this machine from now on, fastest first, and returns the file that says so.
// Only providers whose outputs were compared with the CPU's belong there; auto compares again whatever model it meets.
func Remember(order []session.Provider) (string, error) {
	if len(order) == 0 || slices.Contains(order, session.Auto) {
		return "", fmt.Errorf("providers %v, want those that ran, in their order", order)
	}
	path, err := rememberedPath()
	if err != nil {
		return "", err
	}
	data, err := schema.Marshal("graft-providers-1", remembered{machine(), order}, "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return "", err
	}
	return path, atomicfile.WriteFile(path, data)
}

// autoOrder is what auto tries here; nil is the usual order, also where what was remembered is of another machine, or cannot
// be understood: that is an error which stops nobody.
func autoOrder() ([]session.Provider, error) {
	path, err := rememberedPath()
	if err != nil {
		return nil, nil // no cache, nothing remembered
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r remembered
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && r.Machine != machine() {
		return nil, nil
	}
	if err == nil && len(r.Order) == 0 {
		err = errors.New("it names no provider")
	}
	for _, p := range r.Order {
		known, bad := session.ParseProvider(string(p))
		if bad == nil && (known != p || p == session.Auto) {
			bad = fmt.Errorf("%q is no provider to try", p)
		}
		err = errors.Join(err, bad)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, the order of providers that was remembered, is passed over: %w; graft bench --remember writes it anew", path, err)
	}
	return r.Order, nil
}
