//go:build linux || darwin

package sighandler

/*
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// 1 to 31 are the signals that libraries touch; 32 and up are the C library's
// own and the real-time signals.
enum { signals = 32 };

static struct sigaction *save_handlers(void) {
	struct sigaction *saved = calloc(signals, sizeof *saved);
	for (int s = 1; saved && s < signals; s++) sigaction(s, NULL, &saved[s]);
	return saved;
}

// Go handles SIGURG itself from the start (it preempts goroutines with it), so
// the handler saved there is Go's. A handler that Go has put in place meanwhile,
// because another goroutine called signal.Notify, must stay.
static void restore_handlers(struct sigaction *saved) {
	for (int s = 1; s < signals; s++) {
		struct sigaction now;
		if (sigaction(s, NULL, &now) != 0) continue;
		if (now.sa_sigaction == saved[s].sa_sigaction && now.sa_flags == saved[s].sa_flags) continue;
		if (s != SIGURG && now.sa_sigaction == saved[SIGURG].sa_sigaction && (now.sa_flags & SA_ONSTACK)) continue;
		sigaction(s, &saved[s], NULL);
	}
	free(saved);
}
*/
import "C"

func save() (restore func()) {
	saved := C.save_handlers()
	if saved == nil {
		return func() {}
	}
	return func() { C.restore_handlers(saved) }
}
