package checkpoint

import (
	"fmt"
	"strings"
)

// cleanNames applies the rules on prefixes of the package's comment.
func (c *contents) cleanNames() error {
	if err := c.rename(cutAll(c.tensors, "module.")); err != nil {
		return err
	}
	return c.rename(cutBackbone(c.tensors))
}

// cutAll returns the new name of every tensor where all of them start with
// prefix, else nil.
func cutAll(tensors map[string]*tensor, prefix string) map[string]string {
	out := make(map[string]string, len(tensors))
	for name := range tensors {
		short, ok := strings.CutPrefix(name, prefix)
		if !ok {
			return nil
		}
		out[name] = short
	}
	return out
}

// dropped is the new name of a tensor that is left out.
const dropped = "\x00"

// cutBackbone returns the new names of the tensors of a DINO checkpoint; those
// of its projection head are dropped. For other checkpoints it returns nil.
func cutBackbone(tensors map[string]*tensor) map[string]string {
	out := make(map[string]string, len(tensors))
	found := false
	for name := range tensors {
		short, ok := strings.CutPrefix(name, "backbone.")
		switch {
		case ok:
			out[name], found = short, true
		case strings.HasPrefix(name, "head.mlp.") || strings.HasPrefix(name, "head.last_layer"):
			out[name] = dropped
		default:
			return nil
		}
	}
	if !found {
		return nil
	}
	return out
}

// rename gives the tensors new names, and moves the dropped ones to the ignored;
// nil changes nothing.
func (c *contents) rename(names map[string]string) error {
	if names == nil {
		return nil
	}
	out := make(map[string]*tensor, len(names))
	for old, name := range names {
		if name == dropped {
			c.ignored = append(c.ignored, old)
			continue
		}
		if err := checkName(name); err != nil {
			return fmt.Errorf("tensor %s without its prefix: %w", quote(old), err)
		}
		out[name] = c.tensors[old]
	}
	c.tensors = out
	return nil
}
