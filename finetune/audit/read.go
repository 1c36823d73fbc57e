package audit

// Found is a finished audit with the rows of those findings that are looked at one by
// one.
type Found struct {
	Report    *Report
	Leaks     []CopyRow
	Conflicts []ConflictRow
	Doubts    []DoubtRow   // of train first, the most doubtful before others; none where the audit had no embeddings
	Outliers  []OutlierRow // the farthest first; none likewise
}

// Read reads the folder of an audit.
func Read(folder string) (f Found, err error) {
	if f.Report, err = readReport(folder); err != nil {
		return f, err
	}
	if f.Leaks, err = readTable[CopyRow](folder, "leaks"); err != nil {
		return f, err
	}
	if f.Conflicts, err = readTable[ConflictRow](folder, "conflicts"); err != nil {
		return f, err
	}
	if f.Report.Labels != nil {
		if f.Doubts, err = readTable[DoubtRow](folder, "labels"); err != nil {
			return f, err
		}
	}
	if f.Report.Outliers != nil {
		f.Outliers, err = readTable[OutlierRow](folder, "outliers")
	}
	return f, err
}
