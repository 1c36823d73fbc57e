//go:build cgo && (linux || darwin)

package sighandler_test

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"graft/onnx/ort/internal/sighandler"
	"graft/onnx/ort/internal/sighandler/sighandlertest"
)

// sendSelf sends a signal to this process and reports whether Go delivered it.
// The signal may reach a C handler instead, which swallows it.
func sendSelf(t *testing.T, c <-chan os.Signal, sig syscall.Signal) bool {
	t.Helper()
	before := sighandlertest.Swallowed()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		select {
		case <-c:
			return true
		case <-time.After(5 * time.Millisecond):
			if sighandlertest.Swallowed() > before {
				return false
			}
		}
	}
	t.Fatalf("%v reached neither Go nor C within 5 s", sig)
	return false
}

func TestCtrlCArrivesAfterHandlersAreReplaced(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		c := make(chan os.Signal, 1)
		signal.Notify(c, sig)
		defer signal.Stop(c)
		err := sighandler.Preserve(func() error {
			if !sighandlertest.Replace(sig) {
				t.Fatalf("cannot replace the handler of %v", sig)
			}
			if sendSelf(t, c, sig) {
				t.Fatalf("the handler of %v was not replaced: this test proves nothing", sig)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !sendSelf(t, c, sig) {
			t.Errorf("after Preserve, C still swallows %v", sig)
		}
	}
}

// A handler that Go itself installs while f runs stays.
func TestNotifyDuringPreserveStays(t *testing.T) {
	c := make(chan os.Signal, 1)
	defer signal.Stop(c)
	_ = sighandler.Preserve(func() error {
		signal.Notify(c, syscall.SIGUSR2)
		return nil
	})
	if !sendSelf(t, c, syscall.SIGUSR2) {
		t.Error("Preserve took back a handler that Go had installed")
	}
}

func TestPreserveReturnsTheError(t *testing.T) {
	want := errors.New("no device")
	if err := sighandler.Preserve(func() error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
}
