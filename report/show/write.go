package show

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/schema"
	"graft/report/chart"
	"graft/report/raster"
)

// Figure is one picture: a sheet, a chart, or an image in its own size.
type Figure struct {
	Name  string
	Sheet *raster.Sheet
	Chart chart.Chart
	Photo image.Image
}

// Form is what pictures are written as.
type Form string

// The forms.
const (
	FormPNG  Form = "png" // charts are SVG files all the same
	FormSVG  Form = "svg"
	FormHTML Form = "html" // all pictures in one page, show.html
)

// Folder is where pictures are written, with their numbers in show.json: a new or empty folder, or one with such pictures,
// which are replaced; with Force any. Each file is whole or absent, and show.json comes last.
type Folder struct {
	Path  string
	Form  Form
	Force bool
}

// numbersFile tells folders that write made.
const numbersFile = "show.json"

// file is one to be written.
type file struct {
	name string
	data []byte
}

// write writes a page's figures, and v, which says in *names what was written.
func (f Folder) write(name string, p page, v any, names *[]string) error {
	old, err := f.claim(name)
	if err != nil {
		return err
	}
	files, err := f.files(p)
	if err != nil {
		return err
	}
	*names = nil
	for _, one := range files {
		*names = append(*names, one.name)
	}
	data, err := schema.Marshal(name, v, " ")
	if err != nil {
		return err
	}
	return f.put(old, append(files, file{numbersFile, data}))
}

// claim makes the folder, or finds it to be ours and tells the files that a last call wrote.
func (f Folder) claim(name string) (old []string, err error) {
	entries, err := os.ReadDir(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, os.MkdirAll(f.Path, 0o777)
	}
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	var last struct {
		Schema string
		Files  []string
	}
	data, err := os.ReadFile(filepath.Join(f.Path, numbersFile))
	if err == nil && json.Unmarshal(data, &last) == nil && last.Schema == name {
		return last.Files, nil
	}
	if f.Force {
		return nil, nil
	}
	return nil, fmt.Errorf("%s is not empty, and holds no pictures of an earlier call; choose another folder, or write into it with --force", f.Path)
}

// put writes files, and removes those of a last call that are not among them.
func (f Folder) put(old []string, files []file) error {
	kept := map[string]bool{}
	for _, one := range files {
		kept[one.name] = true
		if err := atomicfile.WriteFile(filepath.Join(f.Path, one.name), one.data); err != nil {
			return err
		}
	}
	for _, name := range old {
		if filepath.Base(name) != name || kept[name] {
			continue
		}
		if err := os.Remove(filepath.Join(f.Path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// files are the pictures in a form, numbered in their order.
func (f Folder) files(p page) (list []file, err error) {
	if f.Form == FormHTML {
		data, err := p.html()
		return []file{{"show.html", data}}, err
	}
	for i, fig := range p.figures {
		one, err := fig.file(fmt.Sprintf("%02d-%s", i+1, plainName(fig.Name)), f.Form)
		if err != nil {
			return nil, fmt.Errorf("picture %s: %w", fig.Name, err)
		}
		list = append(list, one)
	}
	return list, nil
}

// file is the picture as a file of a form, or of that which it can have.
func (f Figure) file(name string, form Form) (file, error) {
	var data []byte
	var err error
	switch {
	case f.Photo != nil:
		form = FormPNG
		data, err = raster.PNG(f.Photo)
	case f.Chart != nil:
		form = FormSVG
		data, err = chart.File(f.Chart)
	case form == FormSVG:
		data, err = f.Sheet.File()
	default:
		data, err = f.Sheet.PNG()
	}
	return file{name + "." + string(form), data}, err
}

var odd = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// plainName is a name that files can have everywhere.
func plainName(s string) string {
	s = strings.Trim(odd.ReplaceAllString(s, "-"), "-")
	return s[max(0, len(s)-60):]
}
