package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"graft/internal/atomicfile"
)

// claim is a digest that somebody stated, whole or its first digits.
type claim struct {
	digest string
	who    string
	hint   string // what else may have happened
}

// claims lists the digests that the file has to have; stated is the server's,
// or "".
func (d *download) claims(stated string) ([]claim, error) {
	recorded, err := readSidecar(d.sidecar())
	if err != nil {
		return nil, err
	}
	var out []claim
	for _, c := range []claim{
		{strings.ToLower(d.entry.SHA256), "the zoo", ""},
		{stated, "the server", ""},
		{recorded, "the record of an earlier download, " + d.sidecar(), ", or the publisher a new one: delete the record to accept it"},
	} {
		if c.digest != "" {
			out = append(out, c)
		}
	}
	return out, nil
}

// existing takes a finished file that is there already. One that does not
// verify is downloaded again.
func (d *download) existing() (Result, bool, error) {
	sum, err := hashFile(d.path)
	if errors.Is(err, os.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, err
	}
	claims, err := d.claims("")
	if err != nil {
		return Result{}, false, err
	}
	if c, ok := contradiction(sum, claims); ok {
		d.logf("%s has the SHA-256 %s, %s says %s: downloading it again", d.path, sum, c.who, c.digest)
		return Result{}, false, nil
	}
	res := d.result(sum, claims)
	if len(claims) == 0 {
		res.Verified = fmt.Sprintf("hash not pinned: the file was there already and the zoo has no hash for it, so nothing was compared; "+
			"its SHA-256 is recorded in %s and compared from now on", d.sidecar())
	}
	return res, true, d.record(sum)
}

// finish verifies the complete .part file and gives it its name.
func (d *download) finish() (Result, error) {
	info, err := d.readInfo()
	if err != nil {
		return Result{}, err
	}
	sum, err := hashFile(d.part())
	if err != nil {
		return Result{}, err
	}
	claims, err := d.claims(info.SHA256)
	if err != nil {
		return Result{}, err
	}
	if c, ok := contradiction(sum, claims); ok {
		err := fmt.Errorf("download %s from %s: its SHA-256 is %s, %s says %s; the download was deleted (a proxy or mirror may have sent another file%s)",
			d.entry.Name, d.url, sum, c.who, c.digest, c.hint)
		return Result{}, errors.Join(err, d.discard())
	}
	if err := errors.Join(d.record(sum), os.Rename(d.part(), d.path)); err != nil {
		return Result{}, err
	}
	if err := errors.Join(os.Remove(d.partInfo()), atomicfile.SyncDir(filepath.Dir(d.path))); err != nil {
		return Result{}, err
	}
	res := d.result(sum, claims)
	res.Fetched = true
	return res, nil
}

// contradiction returns the first claim that sum does not fulfil.
func contradiction(sum string, claims []claim) (claim, bool) {
	for _, c := range claims {
		if !strings.HasPrefix(sum, c.digest) {
			return c, true
		}
	}
	return claim{}, false
}

func (d *download) result(sum string, claims []claim) Result {
	res := Result{Path: d.path, SHA256: sum, Pinned: d.entry.SHA256 != ""}
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
	case len(who) > 0:
		res.Verified = "hash not pinned: the zoo has none for this file; SHA-256 as stated by " + strings.Join(who, " and by ")
	default:
		res.Verified = fmt.Sprintf("hash not pinned: neither the zoo nor the server states one, so nothing was compared; "+
			"the file's SHA-256 is recorded in %s and compared from now on", d.sidecar())
	}
	return res
}

// record writes the digest beside the file, as sha256sum prints it.
func (d *download) record(sum string) error {
	return atomicfile.WriteFile(d.sidecar(), []byte(sum+"  "+filepath.Base(d.path)+"\n"))
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
	if !isSHA256(word) {
		return "", fmt.Errorf("%s holds no SHA-256; delete it to download without this check", path)
	}
	return word, nil
}

// isSHA256 wants 64 lower-case hex digits.
func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
