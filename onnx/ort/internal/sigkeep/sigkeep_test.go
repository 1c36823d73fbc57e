//go:build linux || darwin

package sigkeep_test

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"graft/onnx/ort/internal/sigkeep"
	"graft/onnx/ort/internal/thief"
)

// sendSelf sends a signal to this process and reports whether Go delivered it.
// The signal may reach a C handler instead, which swallows it.
func sendSelf(t *testing.T, c <-chan os.Signal, sig syscall.Signal) bool {
	t.Helper()
	before := thief.Swallowed()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		select {
		case <-c:
			return true
		case <-time.After(5 * time.Millisecond):
			if thief.Swallowed() > before {
				return false
			}
		}
	}
	t.Fatalf("%v reached neither Go nor C within 5 s", sig)
	return false
}

func TestCtrlCArrivesAfterATheft(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		c := make(chan os.Signal, 1)
		signal.Notify(c, sig)
		defer signal.Stop(c)
		err := sigkeep.Keep(func() error {
			if !thief.Steal(sig) {
				t.Fatalf("cannot replace the handler of %v", sig)
			}
			if sendSelf(t, c, sig) {
				t.Fatalf("the theft of %v did not work, so this test proves nothing", sig)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !sendSelf(t, c, sig) {
			t.Errorf("after Keep, C still swallows %v", sig)
		}
	}
}

// A handler that Go itself installs while f runs is not a theft.
func TestNotifyDuringKeepStays(t *testing.T) {
	c := make(chan os.Signal, 1)
	defer signal.Stop(c)
	_ = sigkeep.Keep(func() error {
		signal.Notify(c, syscall.SIGUSR2)
		return nil
	})
	if !sendSelf(t, c, syscall.SIGUSR2) {
		t.Error("Keep took back a handler that Go had installed")
	}
}

func TestKeepReturnsTheError(t *testing.T) {
	want := errors.New("no device")
	if err := sigkeep.Keep(func() error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
}
