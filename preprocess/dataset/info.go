package dataset

// Info counts a set, in the shape of `graft data info --json`.
type Info struct {
	Path        string               `json:"path"`
	Kind        string               `json:"kind"`
	Classes     []string             `json:"classes"`
	SplitNames  []string             `json:"split_names"`
	Splits      map[string]SplitInfo `json:"splits"`
	FERPlus     bool                 `json:"ferplus"` // every sample has FER+ votes
	Bad         []Bad                `json:"bad"`
	Warnings    []string             `json:"warnings"`
	Fingerprint string               `json:"fingerprint,omitempty"` // filled by callers that want it; see Dataset.Fingerprint
}

// SplitInfo is one split's images, in all and by class name.
type SplitInfo struct {
	Total   int            `json:"total"`
	Classes map[string]int `json:"classes"`
}

// Info counts the set's images per split and class. Every split lists every
// class, with 0 where it has none.
func (d *Dataset) Info() Info {
	info := Info{
		Path: d.Path, Kind: d.Kind, Classes: d.Classes, SplitNames: d.Splits,
		Splits: map[string]SplitInfo{},
		Bad:    append([]Bad{}, d.Bad...), Warnings: append([]string{}, d.Warnings...), // never null in JSON
	}
	info.FERPlus = len(d.Samples) > 0 && d.Samples[0].Votes != nil
	for _, s := range d.Splits {
		info.Splits[s] = SplitInfo{Classes: map[string]int{}}
		for _, c := range d.Classes {
			info.Splits[s].Classes[c] = 0
		}
	}
	for _, s := range d.Samples {
		split := info.Splits[s.Split]
		split.Total++
		split.Classes[d.Classes[s.Label]]++
		info.Splits[s.Split] = split
	}
	return info
}
