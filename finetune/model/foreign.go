package model

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"graft/finetune/run"
	"graft/pretrained"
)

// A run records its backbone's preprocessing in the one line that
// pretrained.Backbone.Preprocessing gives. That of a foreign model holds all
// that its description needs, so that predict and export need not be told
// again. Whoever opens a backbone with it compares the line that comes out.
var foreignLine = regexp.MustCompile(`^on the host: 8-bit bilinear to (\d+), crop (\S+), (\d+) channels; mean \[(\S+) (\S+) (\S+)\]; std \[(\S+) (\S+) (\S+)\]; output (.*), pooling "(\w*)"$`)

// Foreign is the description of the run's backbone: nil for one that graft
// exported, and read from the record for others. What was given must not say
// otherwise: other pixels than the head was trained on would still give answers.
func Foreign(r *run.Run, given *pretrained.Foreign) (*pretrained.Foreign, error) {
	line := r.Config.Backbone.Preprocessing
	if !strings.HasPrefix(line, "on the host:") {
		if given != nil {
			return nil, fmt.Errorf("the run's backbone was exported by graft and describes itself; leave out the settings for foreign models")
		}
		return nil, nil
	}
	f, err := parseForeign(line)
	switch {
	case err == nil && (given == nil || agree(*given, *f)):
		return f, nil
	case err == nil:
		return nil, fmt.Errorf("the settings for the foreign backbone differ from those of its features; leave them out (recorded: %s)", line)
	case given == nil:
		return nil, fmt.Errorf("the run's backbone was not exported by graft; describe it as graft extract was told, with --input-size, --mean, --std, --output and --pool (recorded: %s)", line)
	}
	return given, nil
}

// agree tells whether given says what was recorded, as far as it says anything.
func agree(given, recorded pretrained.Foreign) bool {
	if given.InputSize == 0 {
		given.InputSize = recorded.InputSize
	}
	if given.CropPct == 0 {
		given.CropPct = 1
	}
	if given.Output == "" {
		given.Output = recorded.Output
	}
	return given == recorded
}

func parseForeign(line string) (*pretrained.Foreign, error) {
	m := foreignLine.FindStringSubmatch(line)
	if m == nil {
		return nil, fmt.Errorf("not the preprocessing of a foreign model: %q", line)
	}
	f := &pretrained.Foreign{Output: m[10], Pool: m[11]}
	var err error
	if f.InputSize, err = strconv.Atoi(m[1]); err != nil {
		return nil, err
	}
	if f.CropPct, err = strconv.ParseFloat(m[2], 64); err != nil {
		return nil, err
	}
	for c := range 3 {
		for _, to := range []struct {
			text string
			dst  *float32
		}{{m[4+c], &f.Mean[c]}, {m[7+c], &f.Std[c]}} {
			v, err := strconv.ParseFloat(to.text, 32)
			if err != nil {
				return nil, err
			}
			*to.dst = float32(v)
		}
	}
	return f, nil
}
