package table_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"graft/internal/parquetfile"
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
	data, err := os.ReadFile(path + table.Parquet)
	if err != nil {
		t.Fatal(err)
	}
	read, err := parquetfile.Read[row](data, 3000)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for want := range rows {
		if got := read[next]; !reflect.DeepEqual(got, want) {
			t.Fatalf("row %d is %+v", next, got)
		}
		next++
	}
	again := filepath.Join(t.TempDir(), "again")
	if _, err := table.Write(again, []string{"p_a", "p_b"}, rows); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(again + table.Parquet); !slices.Equal(data, second) {
		t.Error("the same rows gave other bytes")
	}
}
