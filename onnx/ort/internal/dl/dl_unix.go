//go:build !windows

// Package dl asks an ONNX Runtime library for its version before the rest of
// the program commits itself to it.
package dl

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// The first two members of onnxruntime_c_api.h's OrtApiBase, stable since
// version 1.0.
typedef struct {
	const void *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
} api_base;

static const char *library_version(const char *path, const char **err) {
	void *lib = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!lib) {
		*err = dlerror();
		return NULL;
	}
	const api_base *(*base)(void) = (const api_base *(*)(void))dlsym(lib, "OrtGetApiBase");
	if (!base) {
		dlclose(lib);
		*err = "it has no function OrtGetApiBase: not an ONNX Runtime library";
		return NULL;
	}
	return base()->get_version(); // the library stays loaded: the text lies in it
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// Version loads the library at path and returns its version, such as "1.25.1".
// The error is the loader's own text.
func Version(path string) (string, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var msg *C.char
	v := C.library_version(name, &msg)
	if v == nil {
		return "", errors.New(C.GoString(msg))
	}
	return C.GoString(v), nil
}
