package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// The manual names every command and flag, and man makes pages of it without complaint.
func TestManual(t *testing.T) {
	page, _, err := runData(t, "man")
	if err != nil {
		t.Fatal(err)
	}
	eachCommand(newApp().Commands, nil, func(words []string, c *cli.Command) {
		_, section, ok := strings.Cut(page, ".SH GRAFT "+strings.ToUpper(strings.Join(words, " "))+"\n")
		if !ok {
			t.Errorf("%v is not in the manual", words)
		}
		section, _, _ = strings.Cut(section, ".SH ")
		for _, f := range c.Flags {
			if !strings.Contains(section, `\-\-`+strings.ReplaceAll(f.Names()[0], "-", `\-`)) {
				t.Errorf("%v --%s is not in the manual", words, f.Names()[0])
			}
		}
	})
	if _, whole, _ := strings.Cut(page, ".SH GRAFT\n"); !strings.Contains(whole[:strings.Index(whole, ".SH")], "\nTRAINING\n") {
		t.Error("the manual does not begin with the commands under their headings")
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-k", "-ww", "-P-c")
	cmd.Stdin = strings.NewReader(page)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Errorf("groff: %v\n%s", err, complaints.String())
	}
	if want := "   graft train head --embeddings embeddings --recipe strong --use-flip \\\n"; !strings.Contains(string(out), want) {
		t.Errorf("the page lacks %q", want)
	}
}
