package dl

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// apiBase is the start of onnxruntime_c_api.h's OrtApiBase, stable since
// version 1.0.
type apiBase struct {
	getAPI, getVersion uintptr
}

// Version loads the library at path and returns its version, such as "1.25.1".
// The error is the loader's own text.
func Version(path string) (string, error) {
	// The libraries that it needs, DirectML's for instance, lie beside it.
	lib, err := windows.LoadLibraryEx(path, 0, windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR|windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	proc, err := windows.GetProcAddress(lib, "OrtGetApiBase")
	if err != nil {
		return "", errors.New("it has no function OrtGetApiBase: not an ONNX Runtime library")
	}
	r, _, _ := syscall.SyscallN(proc)
	base := *(**apiBase)(unsafe.Pointer(&r))
	text, _, _ := syscall.SyscallN(base.getVersion)
	return windows.BytePtrToString(*(**byte)(unsafe.Pointer(&text))), nil
}
