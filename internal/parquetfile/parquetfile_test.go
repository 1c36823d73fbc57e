package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"graft/internal/parquetfile"
)

type row struct {
	ID   string `parquet:"id"`
	Size int64  `parquet:"size"`
}

func Example() {
	var file bytes.Buffer
	fmt.Println(parquetfile.Write(&file, []row{{"a.png", 3}, {"b.png", 5}}))
	rows, err := parquetfile.Read[row](file.Bytes(), -1)
	fmt.Println(rows, err)
	// Output:
	// <nil>
	// [{a.png 3} {b.png 5}] <nil>
}

func TestReadRefuses(t *testing.T) {
	var file bytes.Buffer
	if err := parquetfile.Write(&file, []row{{"a.png", 3}}); err != nil {
		t.Fatal(err)
	}
	if _, err := parquetfile.Read[row](file.Bytes(), 2); err == nil {
		t.Error("two rows read of one")
	}
	type other struct {
		ID string `parquet:"id"`
	}
	if _, err := parquetfile.Read[other](file.Bytes(), 1); !errors.Is(err, parquetfile.ErrColumns) {
		t.Errorf("other columns: %v", err)
	}
	for n := range file.Len() {
		if _, err := parquetfile.Read[row](file.Bytes()[:n], -1); err == nil {
			t.Errorf("cut off after %d bytes, and no error", n)
		}
	}
}

// A footer that claims more than the file has is refused before memory is taken for it.
func TestReadRefusesFooters(t *testing.T) {
	for _, n := range []uint32{0xffffffff, 100, 5} {
		data := binary.LittleEndian.AppendUint32([]byte("PAR1"), n)
		if _, err := parquetfile.Read[row](append(data, "PAR1"...), -1); err == nil || !strings.Contains(err.Error(), "its end is no footer") {
			t.Errorf("a footer of %d bytes in 12: %v", n, err)
		}
	}
}
