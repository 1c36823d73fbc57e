package table_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/internal/table"
)

type base struct {
	Index int64  `parquet:"index"`
	ID    string `parquet:"id"`
}

type row struct {
	base
	Split string    `parquet:"split,dict"`
	Score float32   `parquet:"score"`
	P     []float32 `parquet:"p,list"`
}

// rows are more than one batch.
func rows(yield func(row) bool) {
	for i := range int64(3000) {
		if !yield(row{base{i, fmt.Sprintf("a,%d", i)}, "train", float32(i) / 7, []float32{0.25, float32(i)}}) {
			return
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	if n, err := table.Write(path, []string{"p_a", "p_b"}, rows); err != nil || n != 3000 {
		t.Fatalf("%d rows written: %v", n, err)
	}
	text, err := os.ReadFile(path + table.CSV)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3002 || lines[0] != "index,id,split,score,p_a,p_b" || lines[2] != `1,"a,1",train,0.14285715,0.25,1` {
		t.Errorf("%d lines: %q", len(lines), lines[:3])
	}
	var n int64
	for r, err := range table.Read[row](path + table.Parquet) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Index != n || r.ID != fmt.Sprintf("a,%d", n) || r.Split != "train" || r.Score != float32(n)/7 || !slices.Equal(r.P, []float32{0.25, float32(n)}) {
			t.Fatalf("row %d is %+v", n, r)
		}
		n++
	}
	if n != 3000 {
		t.Errorf("%d rows read", n)
	}
	for range table.Read[row](path + table.Parquet) {
		break
	}
	again := filepath.Join(t.TempDir(), "again")
	if _, err := table.Write(again, []string{"p_a", "p_b"}, rows); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(path + table.Parquet)
	if second, _ := os.ReadFile(again + table.Parquet); !slices.Equal(first, second) {
		t.Error("the same rows gave other bytes")
	}
}

func TestReadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	if _, err := table.Write(path, nil, func(yield func(base) bool) { yield(base{1, "x"}) }); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.parquet")
	if err := os.WriteFile(broken, []byte("PAR1 no PAR1"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path + table.Parquet: "columns are", broken: "malformed", "nowhere.parquet": "no such file"} {
		for _, err := range table.Read[row](path) {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v", path, err)
			}
		}
	}
}
