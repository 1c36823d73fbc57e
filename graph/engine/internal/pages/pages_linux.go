package pages

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// huge is the size of a huge page on amd64, and of the usual ones on arm64.
const huge = 2 << 20

func prefer(v []float32) {
	if len(v) == 0 {
		return
	}
	first := uintptr(unsafe.Pointer(&v[0]))
	from, to := (first+huge-1)&^(huge-1), (first+uintptr(4*len(v)))&^(huge-1)
	if from >= to {
		return
	}
	inner := unsafe.Slice((*byte)(unsafe.Pointer(&v[(from-first)/4])), to-from)
	_ = unix.Madvise(inner, unix.MADV_HUGEPAGE) // a wish: a kernel without them says no
}
