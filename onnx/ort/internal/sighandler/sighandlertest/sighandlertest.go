//go:build cgo && (linux || darwin)

// Package sighandlertest replaces signal handlers from C, as the libraries of some
// execution providers do. Tests use it to prove that graft takes them back.
package sighandlertest

/*
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t swallowed;

static void swallow(int sig) { swallowed++; }

static int replace_handler(int sig) {
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_handler = swallow;
	return sigaction(sig, &a, NULL);
}

static int count(void) { return swallowed; }
*/
import "C"

import "syscall"

// Replace makes C swallow a signal from now on.
func Replace(sig syscall.Signal) bool { return C.replace_handler(C.int(sig)) == 0 }

// Swallowed is the number of signals that C has swallowed.
func Swallowed() int { return int(C.count()) }
