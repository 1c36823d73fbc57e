package show

import (
	"fmt"
	"image"
	"math"

	"graft/report/raster"
)

// Of a tile with a scale of its own, the greatest numbers may stand out (tokens that networks keep for themselves: Darcet
// et al. 2023) and would leave the others in one colour.
const (
	outliers = 0.05
	scales   = "each tile has its own scale, on which its greatest 5% have one colour"
)

// who says whose attention is shown.
func (l *look) who() string {
	if l.prefix > 0 {
		return "how much the class token takes from each patch"
	}
	return "how much the tokens take from each patch, on average (there is no class token)"
}

// attends shows the attention of each block and head.
func (l *look) attends() Figure {
	sheet := &raster.Sheet{Title: "Attention", Lines: []string{l.who() + ", by block and head", scales},
		Scale: &raster.Scale{Map: raster.Viridis, Low: "0", High: "most"}}
	for i, n := range l.attention {
		maps := l.fromClass(n)
		if i == 0 {
			sheet.Beside = len(maps) + 1
			for h := range maps {
				sheet.Across = append(sheet.Across, fmt.Sprintf("head %d", h+1))
			}
			sheet.Across = append(sheet.Across, "mean")
		}
		sheet.Down = append(sheet.Down, fmt.Sprintf("block %d", i+1))
		for _, a := range append(maps, mean(maps)) {
			_, high := raster.Most(outliers, a)
			sheet.Tiles = append(sheet.Tiles, tile(a, raster.Viridis, 0, high, max(70, small), ""))
		}
	}
	return Figure{Name: "attention", Sheet: sheet}
}

// matrices shows all of the attention between few tokens.
func (l *look) matrices() Figure {
	sheet := &raster.Sheet{Title: "Attention between all tokens", Lines: []string{"a row for each token that asks, a column for each that is read; rows sum to 1"}, Scale: raster.Between(raster.Viridis, 0, 1)}
	for i, n := range l.attention {
		heads := l.heads(n)
		if sheet.Beside = len(heads); i == 0 {
			for h := range heads {
				sheet.Across = append(sheet.Across, fmt.Sprintf("head %d", h+1))
			}
		}
		sheet.Down = append(sheet.Down, fmt.Sprintf("block %d", i+1))
		for _, m := range heads {
			sheet.Tiles = append(sheet.Tiles, tile(raster.Array{H: l.tokens, W: l.tokens, V: m}, raster.Viridis, 0, 1, middle, ""))
		}
	}
	return Figure{Name: "attention-tokens", Sheet: sheet}
}

// pools shows what a trained query reads of the last tokens.
func (l *look) pools() Figure {
	sheet := &raster.Sheet{Title: "Attention pooling", Lines: []string{"how much the network's own query takes from each patch at its end, by head", scales}}
	for _, n := range l.pooling {
		if n.Dim(-1) < l.grid[0]*l.grid[1] {
			continue
		}
		for h, m := range l.heads(n) {
			a := l.onPatches(m)
			_, high := raster.Most(outliers, a)
			sheet.Tiles = append(sheet.Tiles, tile(a, raster.Viridis, 0, high, max(70, small), fmt.Sprintf("head %d", h+1)))
		}
	}
	return Figure{Name: "attention-pooling", Sheet: sheet}
}

// rolled shows attention followed through all blocks, over the photograph.
func (l *look) rolled(photo image.Image, product []float32) Figure {
	a := l.onPatches(l.asked(product, l.prefix > 0))
	low, high := raster.Range(a)
	unit := raster.Array{H: a.H, W: a.W, V: make([]float32, len(a.V))}
	for i, v := range a.V {
		unit.V[i] = float32((float64(v) - low) / max(high-low, 1e-12))
	}
	return Figure{Name: "rollout", Sheet: &raster.Sheet{Title: "Attention rollout",
		Lines: []string{"how much of each patch reaches the end by attention and residual sums alone (Abnar and Zuidema 2020)"},
		Tiles: l.over(photo, unit, a, low, high),
		Scale: raster.Between(raster.Viridis, low, high)}}
}

// norms shows the length of each patch's token after each block.
func (l *look) norms() Figure {
	sheet := &raster.Sheet{Title: "Norms of the tokens", Lines: []string{"the length of each patch's token after each block; below each its least and its greatest number", scales},
		Scale: &raster.Scale{Map: raster.Viridis, Low: "least", High: "most"}}
	for i, n := range l.exits {
		lengths := norm(l.values[n][:l.tokens*(n.Shape().Size()/l.batch/l.tokens)], l.tokens)
		a := l.onPatches(lengths)
		low, high := raster.Range(a)
		_, most := raster.Most(outliers, a)
		sheet.Tiles = append(sheet.Tiles, tile(a, raster.Viridis, low, most, middle, fmt.Sprintf("%d: %s to %s", i+1, raster.Number(low), raster.Number(high))))
	}
	sheet.Beside = beside(len(sheet.Tiles), sheet.Tiles[0].W)
	return Figure{Name: "norms", Sheet: sheet}
}

// norm is the Euclidean length of each of t rows.
func norm(v []float32, t int) []float32 {
	out, width := make([]float32, t), len(v)/t
	for i := range out {
		sum := 0.0
		for _, x := range v[i*width : (i+1)*width] {
			sum += float64(x) * float64(x)
		}
		out[i] = float32(math.Sqrt(sum))
	}
	return out
}
