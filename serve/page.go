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

// keep stores an image's bytes under their hash, so that what comes twice is kept once.
func (s *Server) keep(data []byte) error {
	ending := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp"}[http.DetectContentType(data)]
	if ending == "" {
		ending = ".tiff" // which net/http does not know
	}
	return atomicfile.WriteFile(filepath.Join(s.c.Keep, hashOf(data)+ending), data)
}
