package scenario

import (
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
)

// bubble runs fn in virtual time and waits until every goroutine that was started
// in it has ended. The error says what went wrong with the bubble itself: a panic,
// or goroutines that were left over.
//
// synctest.Test wants a testing.T, of which it uses nothing while nothing fails;
// so a zero one serves, without any of the machinery and the flags of "go test".
// The test of this function tells when a new Go wants more.
func bubble(fn func()) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		var panicked error
		synctest.Test(new(testing.T), func(*testing.T) {
			defer func() {
				if r := recover(); r != nil {
					panicked = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
				}
			}()
			fn()
		})
		err = panicked
	}()
	<-done
	return err
}

// settled waits until everything in the bubble waits for time to pass.
func settled() { synctest.Wait() }
