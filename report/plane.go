package report

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"graft/internal/plural"
)

// plane is the two directions in which rows differ most: the first principal
// components, as scikit-learn's PCA has them. Of each the largest element is positive,
// so that equal rows give an equal picture.
type plane struct {
	mean  []float64
	axes  [2][]float64
	share [2]float64 // of the variance
}

// fitRows bounds the rows that a plane is fitted to; of more, some are taken, spread
// evenly.
const fitRows = 20000

// newPlane fits a plane to x [n,dim].
func newPlane(x []float32, dim int) (p plane, err error) {
	n := len(x) / dim
	if n < 3 || dim < 2 {
		return p, fmt.Errorf("a map of %s of %s, want 3 of 2 at least", plural.Of(n, "row"), plural.Of(dim, "feature"))
	}
	used := min(n, fitRows)
	rows := mat.NewDense(used, dim, nil)
	p.mean = make([]float64, dim)
	for i := range used {
		at := i * n / used
		for j, v := range x[at*dim : (at+1)*dim] {
			rows.Set(i, j, float64(v))
			p.mean[j] += float64(v) / float64(used)
		}
	}
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, rows, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, true) {
		return p, fmt.Errorf("a map of %d rows: their principal components do not converge", n)
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values, total := eigen.Values(nil), mat.Trace(&covariance)
	for a := range p.axes {
		column := dim - 1 - a // they come in rising order
		p.axes[a] = mat.Col(nil, column, &vectors)
		if total > 0 {
			p.share[a] = values[column] / total
		}
		largest := 0.0
		for _, v := range p.axes[a] {
			if math.Abs(v) > math.Abs(largest) {
				largest = v
			}
		}
		for j := range p.axes[a] {
			p.axes[a][j] *= math.Copysign(1, largest)
		}
	}
	return p, nil
}

// at is where a row lies in the plane.
func (p plane) at(row []float32) (x, y float32) {
	var out [2]float64
	for a, axis := range p.axes {
		for j, v := range row {
			out[a] += (float64(v) - p.mean[j]) * axis[j]
		}
	}
	return float32(out[0]), float32(out[1])
}
