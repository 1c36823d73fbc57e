package train

import (
	"context"
	"os"
	"testing"
)

// trainUsual trains on the store at dir and fails the test when it cannot.
func trainUsual(t testing.TB, c HeadConfig) Result {
	t.Helper()
	r, err := Head(context.Background(), c, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
