package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// plainWriter shows the control characters of what passes as escapes. Class names, files in archives and what an ONNX file
// says of itself are foreign text, and a terminal would obey it. Line ends and tabs pass, and JSON stays the same JSON:
// \u001b is its own word for the character. Runes may be cut by the ends of writes.
type plainWriter struct {
	to   io.Writer
	mu   sync.Mutex
	rest []byte // the beginning of a rune
	line string // that is drawn and not ended
	err  error  // the first of a write
}

// terminal is the writer if it writes to a terminal, which may be drawn upon, else nil.
func terminal(w io.Writer) *plainWriter {
	p, ok := w.(*plainWriter)
	if !ok {
		return nil
	}
	if f, ok := p.to.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return p
}

// draw writes a line over the one that was drawn before; what is written next begins a line of its own.
func (p *plainWriter) draw(line string, end bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line = plain(line)
	fmt.Fprintf(p.to, "\r%-*s", utf8.RuneCountInString(p.line), line)
	if p.line = line; end {
		p.line = ""
		fmt.Fprintln(p.to)
	}
}

func (p *plainWriter) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != "" {
		fmt.Fprintf(p.to, "\r%*s\r", utf8.RuneCountInString(p.line), "")
		p.line = ""
	}
	text := append(p.rest, b...)
	end := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if utf8.RuneStart(text[len(text)-back]) {
			if !utf8.FullRune(text[len(text)-back:]) {
				end -= back
			}
			break
		}
	}
	_, err := io.WriteString(p.to, plain(string(text[:end])))
	p.rest = append([]byte(nil), text[end:]...)
	p.err = cmp.Or(p.err, err)
	return len(b), err
}

// failed is the first error of writing to w, which many ways of printing do not hand on.
func failed(w io.Writer) error {
	p, ok := w.(*plainWriter)
	if !ok || p.err == nil {
		return nil
	}
	return fmt.Errorf("write what there is to say: %w", p.err)
}

// plain is text without control characters.
func plain(text string) string {
	if !strings.ContainsFunc(text, obeyed) && utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case obeyed(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// obeyed tells what terminals act upon: control characters, and those that turn the direction of writing.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
