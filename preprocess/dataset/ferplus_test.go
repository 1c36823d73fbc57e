package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// votesText is a FER+ file for rows; votes of row i are i, i+1, … mod 11.
func votesText(rows []testRow) string {
	var b strings.Builder
	b.WriteString("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n")
	for i, r := range rows {
		fmt.Fprintf(&b, "%s,fer%07d.png", r.usage, i)
		for k := range voteNames {
			fmt.Fprintf(&b, ",%d", (i+k)%11)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func votesOf(row int) []uint8 {
	v := make([]uint8, len(voteNames))
	for k := range v {
		v[k] = uint8((row + k) % 11)
	}
	return v
}

func TestFERPlus(t *testing.T) {
	rows := testRows(1, 20)
	votes := writeFile(t, "fer2013new.csv", []byte(votesText(rows)))
	d := mustOpen(t, writeFile(t, "fer2013.csv", []byte(csvText(rows))), Ref{FERPlus: votes})
	for i, s := range d.Samples {
		if !slices.Equal(s.Votes, votesOf(i)) {
			t.Fatalf("sample %d has votes %v, want %v", i, s.Votes, votesOf(i))
		}
	}
	if !d.Info().FERPlus {
		t.Error("Info does not tell of the votes")
	}
	plain := mustOpen(t, writeFile(t, "fer2013.csv", []byte(csvText(rows))), Ref{})
	if fingerprint(t, d) == fingerprint(t, plain) {
		t.Error("votes do not change the fingerprint")
	}
	// Rows keep their votes when a row before them is bad.
	d = mustOpen(t, writeFile(t, "bad.csv", []byte(corrupt(rows, 3, "9,1,Training\n"))), Ref{FERPlus: votes, SkipBad: true})
	if got := d.Samples[3]; !slices.Equal(got.Votes, votesOf(4)) {
		t.Errorf("sample after the bad row is %+v, want the votes of row 4", got)
	}
}

func TestFERPlusFaults(t *testing.T) {
	rows := testRows(2, 12)
	data := writeFile(t, "fer2013.csv", []byte(csvText(rows)))
	good := votesText(rows)
	lines := strings.SplitAfter(good, "\n")
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one row less":  {strings.Join(lines[:12], ""), []string{"holds 11 rows of votes, want 12"}},
		"one row more":  {good + lines[5], []string{"holds more than 12 rows of votes"}},
		"no column":     {strings.Replace(good, "contempt", "contemt", 1), []string{"no column contempt"}},
		"empty":         {"", []string{"header"}},
		"vote of 256":   {strings.Replace(good, lines[4], "Training,x,0,0,0,0,256,0,0,0,0,0\n", 1), []string{"row 4 (line 5)", "column anger", `"256"`}},
		"few fields":    {strings.Replace(good, lines[4], "Training,x,0\n", 1), []string{"row 4 (line 5)", "3 fields, want 12"}},
		"another usage": {strings.Replace(good, lines[1], strings.Replace(lines[1], "Training", "PublicTest", 1), 1), []string{"row 1 (line 2)", "PublicTest"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "votes.csv", []byte(c.text))
			_, err := Open(context.Background(), Ref{Path: data, FERPlus: path}, nil)
			wantError(t, err, append(c.want, path)...)
			if !strings.HasPrefix(c.want[0], "row") {
				return
			}
			d := mustOpen(t, data, Ref{FERPlus: path, SkipBad: true})
			if len(d.Samples) != 11 || len(d.Bad) != 1 || !strings.Contains(d.Bad[0].Where, c.want[0]) {
				t.Errorf("%d samples, bad %v: want 11 and %s", len(d.Samples), d.Bad, c.want[0])
			}
			for _, s := range d.Samples {
				if s.Votes == nil {
					t.Errorf("%s has no votes", s.ID)
				}
			}
		})
	}
	_, err := Open(context.Background(), Ref{Path: SyntheticPath, FERPlus: data}, nil)
	wantError(t, err, "synthetic", "FER+")
}
