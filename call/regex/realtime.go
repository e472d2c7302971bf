package regex

import (
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// realTime is how long KeepRealTime holds.
const realTime = 30 * 24 * time.Hour

var keepRealTime = sync.OnceFunc(func() {
	re := regexp2.MustCompile("(?=x)x", regexp2.None)
	re.MatchTimeout = realTime
	_, _ = re.MatchString("x")
})

// KeepRealTime has the time that a pattern takes measured by the clock of the
// machine from now on, even for those who match in a bubble of testing/synctest.
// The engine has one clock for all its users, which is begun by whoever needs it
// first and ends after a while; begun in a bubble it would stand still with it. It
// must be called outside of any.
func KeepRealTime() { keepRealTime() }
