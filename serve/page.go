package serve

import (
	"embed"
	"io/fs"
	"net/http"
	"path/filepath"

	"graft/internal/atomicfile"
)

//go:embed page
var pages embed.FS

// page is the page for people, with all that it needs.
func (s *Server) page() (http.Handler, error) {
	files, err := fs.Sub(pages, "page")
	return http.FileServerFS(files), err
}

// keep stores an image's bytes, where that is wanted, under their hash, so that what comes twice is kept once. Nobody else may
// read them.
func (s *Server) keep(u upload) error {
	data := u.data
	if data == nil {
		return nil
	}
	ending := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp"}[http.DetectContentType(data)]
	if ending == "" {
		ending = ".tiff" // which net/http does not know
	}
	f, err := atomicfile.Create(filepath.Join(s.c.Keep, hashOf(data)+ending))
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}
