package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/download"
	"graft/internal/filehash"
	"graft/internal/sniff"
)

// claim is a digest that somebody stated, whole or its first digits.
type claim struct {
	digest string
	who    string
	hint   string // what else may have happened
}

// claims lists the digests that the file has to have; stated is the server's,
// or "".
func (p *pull) claims(stated string) ([]claim, error) {
	recorded, err := readSidecar(p.sidecar())
	if err != nil {
		return nil, err
	}
	var out []claim
	for _, c := range []claim{
		{strings.ToLower(p.entry.SHA256), "the zoo", ""},
		{stated, "the server", ""},
		{recorded, "the record of an earlier download, " + p.sidecar(), ", or the publisher a new one: delete the record to accept it"},
	} {
		if c.digest != "" {
			out = append(out, c)
		}
	}
	return out, nil
}

// existing takes a finished file that is there already. One that does not
// verify is downloaded again.
func (p *pull) existing(ctx context.Context) (Result, bool, error) {
	sum, err := filehash.File(ctx, p.path)
	if errors.Is(err, os.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, err
	}
	claims, err := p.claims("")
	if err != nil {
		return Result{}, false, err
	}
	if c := contradiction(sum, claims); c != nil {
		p.logf("%s has the SHA-256 %s, %s says %s: downloading it again", p.path, sum, c.who, c.digest)
		return Result{}, false, nil
	}
	if p.entry.SHA256 == "" {
		if what, err := other(p.path); err != nil {
			return Result{}, false, err
		} else if what != "" { // its hash, if there is a record, is that of this
			p.logf("%s is no checkpoint but %s: downloading it again", p.path, what)
			return Result{}, false, os.RemoveAll(p.sidecar())
		}
	}
	res := p.result(sum, claims)
	if len(claims) == 0 {
		res.Verified = fmt.Sprintf("hash not pinned: the file was there already and the zoo has no hash for it, so nothing was compared; "+
			"its SHA-256 is recorded in %s and compared from now on", p.sidecar())
	}
	return res, true, p.record(sum)
}

// finish verifies the complete download and gives the file its name.
func (p *pull) finish(ctx context.Context, part *download.Part) (Result, error) {
	stated, err := part.Stated()
	if err != nil {
		return Result{}, err
	}
	sum, err := part.SHA256(ctx)
	if err != nil {
		return Result{}, err
	}
	claims, err := p.claims(stated)
	if err != nil {
		return Result{}, err
	}
	if c := contradiction(sum, claims); c != nil {
		err := fmt.Errorf("its SHA-256 is %s, %s says %s; the download was deleted (a proxy or mirror may have sent another file%s)",
			sum, c.who, c.digest, c.hint)
		return Result{}, errors.Join(err, part.Discard())
	}
	if stated == "" && p.entry.SHA256 == "" { // nobody but the file itself tells what it is
		if what, err := other(part.Path()); err != nil {
			return Result{}, err
		} else if what != "" {
			err := fmt.Errorf("what came is no checkpoint but %s; it was deleted (a network that wants a login answers with its own page; %s)", what, p.wayOut())
			return Result{}, errors.Join(err, part.Discard())
		}
	}
	if err := p.record(sum); err != nil {
		return Result{}, err
	}
	if err := part.Commit(); err != nil {
		return Result{}, err
	}
	res := p.result(sum, claims)
	res.Fetched = true
	return res, nil
}

// other says what a file is that is no checkpoint, as a captive portal's page or a pointer of Git LFS; else "".
func other(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sniff.OtherOrText(f), nil
}

// contradiction returns the first claim that sum does not fulfil, or nil.
func contradiction(sum string, claims []claim) *claim {
	for _, c := range claims {
		if !strings.HasPrefix(sum, c.digest) {
			return &c
		}
	}
	return nil
}

func (p *pull) result(sum string, claims []claim) Result {
	res := Result{Path: p.path, SHA256: sum, Pinned: len(p.entry.SHA256) == 64}
	var who []string
	for _, c := range claims {
		if n := len(c.digest); n < 64 {
			c.who += fmt.Sprintf(" (first %d digits)", n)
		}
		who = append(who, c.who)
	}
	switch {
	case res.Pinned:
		res.Verified = "SHA-256 as stated by " + strings.Join(who, " and by ")
	case p.entry.SHA256 != "":
		res.Verified = fmt.Sprintf("hash not pinned: the zoo knows only its first %d digits, which another file can be made to have; SHA-256 as stated by %s; "+
			"it is recorded in %s and compared from now on", len(p.entry.SHA256), strings.Join(who, " and by "), p.sidecar())
	case len(who) > 0:
		res.Verified = "hash not pinned: the zoo has none for this file; SHA-256 as stated by " + strings.Join(who, " and by ")
	default:
		res.Verified = fmt.Sprintf("hash not pinned: neither the zoo nor the server states one, so nothing was compared; "+
			"the file's SHA-256 is recorded in %s and compared from now on", p.sidecar())
	}
	return res
}

// record writes the digest beside the file, as sha256sum prints it.
func (p *pull) record(sum string) error {
	return atomicfile.WriteFile(p.sidecar(), []byte(sum+"  "+filepath.Base(p.path)+"\n"))
}

// readSidecar returns the recorded digest, "" where there is none.
func readSidecar(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	if len(word) != 64 || strings.Trim(word, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%s holds no SHA-256; delete it to download without this check", path)
	}
	return word, nil
}
