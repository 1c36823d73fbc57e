//go:build linux || darwin

// Package thief replaces signal handlers from C, as the libraries of some
// execution providers do. Tests use it to prove that graft takes them back.
package thief

/*
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stolen;

static void swallow(int sig) { stolen++; }

static int steal(int sig) {
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_handler = swallow;
	return sigaction(sig, &a, NULL);
}

static int count(void) { return stolen; }
*/
import "C"

import "syscall"

// Steal makes C swallow a signal from now on.
func Steal(sig syscall.Signal) bool { return C.steal(C.int(sig)) == 0 }

// Swallowed is the number of signals that C has swallowed.
func Swallowed() int { return int(C.count()) }
