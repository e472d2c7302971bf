package appliance

import (
	"net"
	"net/http"
	"sync/atomic"

	"github.com/switchlet/switchlet/webrtc"
)

// door is the path /sip of the web ports: SIP over WebSocket. The SIP profile that
// serves it opens it anew at each of its starts.
type door struct {
	plain, secure atomic.Pointer[webrtc.SIPListener]
}

// listen opens the door to what comes by http or https.
func (d *door) listen(secure bool) net.Listener {
	l := webrtc.NewSIPListener(&net.TCPAddr{})
	if secure {
		d.secure.Store(l)
	} else {
		d.plain.Store(l)
	}
	return l
}

// ServeHTTP hands a request to the listener of its kind.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := d.plain.Load()
	if r.TLS != nil {
		l = d.secure.Load()
	}
	if l == nil {
		http.Error(w, "no SIP profile serves this path", http.StatusServiceUnavailable)
		return
	}
	l.ServeHTTP(w, r)
}
