package dataset

import (
	"os"
	"testing"
)

// BenchmarkOpenReal loads the file named by GRAFT_FER2013, a FER2013 CSV bare
// or packed. Its peer in pandas and numpy is scripts/bench_csv_pandas.py.
func BenchmarkOpenReal(b *testing.B) {
	path := os.Getenv("GRAFT_FER2013")
	if path == "" {
		b.Skip("GRAFT_FER2013 does not name fer2013.csv or fer2013.tar.gz")
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		d, err := Open(b.Context(), Ref{Path: path}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
