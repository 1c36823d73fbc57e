package dataset

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Names of columns where the metadata names none.
var (
	parquetImages = []string{"image", "img", "bytes", "image_bytes", "jpg", "png", "photo", "picture"}
	parquetFiles  = []string{"path", "image_path", "file_path", "file", "file_name", "filename", "image_file"}
	parquetLabels = []string{"label", "labels", "fine_label", "class", "target", "category", "emotion", "y"}
)

// feature is a column in Hugging Face's metadata.
type feature struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

func (t *parquetTable) findColumns() error {
	var meta struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if text, ok := t.file.Lookup("huggingface"); ok {
		if err := json.Unmarshal([]byte(text), &meta); err != nil {
			return fmt.Errorf("its metadata huggingface is not understood: %w", err)
		}
	}
	var named, guessed []string // columns of labels
	all := map[string]parquet.LeafColumn{}
	for _, at := range t.file.Schema().Columns() {
		leaf, ok := t.file.Schema().Lookup(at...)
		if !ok || leaf.MaxRepetitionLevel > 0 {
			continue
		}
		var f feature
		_ = json.Unmarshal(meta.Info.Features[at[0]], &f) // of another form: no name of ours
		bytes := leaf.Node.Type().Kind() == parquet.ByteArray
		text := bytes && leaf.Node.Type().String() == "STRING"
		switch column := strings.Join(at, "."); {
		case len(at) == 2 && at[1] == "bytes" && bytes && t.image < 0:
			t.image, all["image"] = leaf.ColumnIndex, leaf
			if p, ok := t.file.Schema().Lookup(at[0], "path"); ok && p.Node.Type().Kind() == parquet.ByteArray && p.MaxRepetitionLevel == 0 {
				t.path = p.ColumnIndex
			}
		case len(at) > 1:
		case f.Type == "ClassLabel":
			named, all[column] = append(named, column), leaf
			if len(named) == 1 {
				t.labels = f.Names
			}
		case slices.Contains(parquetLabels, strings.ToLower(column)):
			guessed, all[column] = append(guessed, column), leaf
		case t.image < 0 && bytes && !text && slices.Contains(parquetImages, strings.ToLower(column)):
			t.image = leaf.ColumnIndex
		case t.files < 0 && text && (slices.Contains(parquetFiles, strings.ToLower(column)) || slices.Contains(parquetImages, strings.ToLower(column))):
			t.files = leaf.ColumnIndex
		case strings.EqualFold(column, "id") && (text || leaf.Node.Type().Kind() == parquet.Int32 || leaf.Node.Type().Kind() == parquet.Int64):
			t.id = leaf.ColumnIndex
		case strings.EqualFold(column, "split") && text:
			t.split = leaf.ColumnIndex
		}
	}
	if t.image >= 0 {
		t.files = -1 // a note beside the bytes
	}
	if t.image < 0 && t.files < 0 {
		return fmt.Errorf("no column of image bytes among %s; wanted image.bytes, as Hugging Face's datasets have it, or bytes called %s, or paths of image files as text called %s",
			shorten(columnNames(t.file)), strings.Join(parquetImages[:4], ", "), strings.Join(parquetFiles[:2], ", "))
	}
	if columns := append(named, guessed...); len(columns) > 0 {
		t.label, t.labelName, t.otherLabels = all[columns[0]].ColumnIndex, columns[0], columns[1:]
	}
	return nil
}

func columnNames(f *parquet.File) (names []string) {
	for _, path := range f.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	return names
}

// tableRows says of each row of a table what it is called, its split and label, and its image's file; a column that the table
// has not is nil.
type tableRows struct {
	stem, split                       string // of the file's name
	ids, splits, names, files, labels []string
	other                             string // a word that makes the column of splits none
}

// readRows reads a table's columns but for the images. name is its file's.
func (t *parquetTable) readRows(name string) (*tableRows, error) {
	r := &tableRows{stem: strings.TrimSuffix(name, path.Ext(name)), split: splitOfPath(name)}
	for _, c := range []struct {
		leaf int
		name string
		text func(parquet.Value) string
		to   *[]string
	}{
		{t.label, t.labelName, t.labelText, &r.labels}, {t.path, "path", plainText, &r.names}, {t.id, "id", plainText, &r.ids},
		{t.split, "split", plainText, &r.splits}, {t.files, "of paths", rawText, &r.files},
	} {
		if c.leaf < 0 {
			continue
		}
		var err error
		if *c.to, err = t.column(c.leaf, c.text); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	for i, word := range r.splits {
		split, rest, ok := splitOf(word)
		if !ok || rest != "" {
			r.splits, r.other = nil, word
			break
		}
		r.splits[i] = split
	}
	return r, nil
}

// at is a row's ID, split ("" where none is told) and label.
func (r *tableRows) at(row int) (id, split, label string) {
	id, split, label = fmt.Sprintf("%s/%06d", r.stem, row), r.split, unlabelled
	switch {
	case r.ids != nil && r.ids[row] != "":
		id = r.ids[row]
	case r.files != nil && r.files[row] != "":
		id = strings.ToValidUTF8(r.files[row], "?")
	case r.names != nil && r.names[row] != "":
		id += "-" + path.Base(r.names[row])
	}
	if r.splits != nil {
		split = r.splits[row]
	}
	if r.labels != nil {
		label = r.labels[row]
	}
	return id, split, label
}

// rawText is a value of text as it is: systems name files by bytes, of which not all are UTF-8.
func rawText(v parquet.Value) string { return string(v.ByteArray()) }

// plainText is a value of text or of a whole number, "" for nothing.
func plainText(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.Int32:
		return strconv.Itoa(int(v.Int32()))
	case v.Kind() == parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	}
	return strings.ToValidUTF8(string(v.ByteArray()), "?")
}
