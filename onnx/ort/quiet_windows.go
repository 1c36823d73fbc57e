package ort

// muted runs f. Windows' libraries have handles of their own, which cannot be taken from them.
func muted(f func()) { f() }
