package table_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/table"
)

func Example() {
	type face struct {
		ID    string  `parquet:"id"`
		Score float32 `parquet:"score"`
	}
	dir, err := os.MkdirTemp("", "table")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	base := filepath.Join(dir, "faces")
	if _, err := table.Write(base, nil, slices.Values([]face{{"a.png", 0.5}, {"b.png", 0.25}})); err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(base + table.CSV)
	fmt.Print(string(text), err)
	// Output:
	// id,score
	// a.png,0.5
	// b.png,0.25
	// <nil>
}
