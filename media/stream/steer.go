package stream

import (
	"maps"
	"slices"
)

// StreamState is a local stream as it is now.
type StreamState struct {
	Name string
	LocalStream
	Stopped bool
	Playing bool // somebody has listened since it was started
}

// Streams returns the local streams by name.
func (o *Opener) Streams() []StreamState {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []StreamState
	for _, name := range slices.Sorted(maps.Keys(o.LocalStreams)) {
		s := StreamState{Name: name, LocalStream: o.LocalStreams[name], Stopped: o.stopped[name]}
		for k := range o.hubs {
			s.Playing = s.Playing || k.name == name
		}
		list = append(list, s)
	}
	return list
}

// of returns the hubs of a stream, at every rate. Caller holds o.mu.
func (o *Opener) of(name string) []*hub {
	var list []*hub
	for k, h := range o.hubs {
		if k.name == name {
			list = append(list, h)
		}
	}
	return list
}

// StartStream lets a stream be heard that was stopped, or is new. Those who ask for a
// stream that is stopped hear "default".
func (o *Opener) StartStream(name string, conf LocalStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.LocalStreams == nil {
		o.LocalStreams = map[string]LocalStream{}
	}
	o.LocalStreams[name] = conf
	delete(o.stopped, name)
}

// StopStream ends a stream; what its listeners play ends. It reports false if there is
// none of that name.
func (o *Opener) StopStream(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.LocalStreams[name]; !ok {
		return false
	}
	if o.stopped == nil {
		o.stopped = map[string]bool{}
	}
	o.stopped[name] = true
	for k, h := range o.hubs {
		if k.name == name {
			_ = h.stop() // what could not be closed is not read any more
			delete(o.hubs, k)
		}
	}
	return true
}

// ReloadStream plays a stream by conf and reads its directory anew. It reports false
// if there is none of that name.
func (o *Opener) ReloadStream(name string, conf LocalStream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.LocalStreams[name]; !ok {
		return false
	}
	o.LocalStreams[name] = conf
	for _, h := range o.of(name) {
		h.configure(o, conf, true)
	}
	return true
}

// SkipStream goes to the next file of a stream. It reports false if there is none of
// that name.
func (o *Opener) SkipStream(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.LocalStreams[name]
	for _, h := range o.of(name) {
		h.skip()
	}
	return ok
}

// SetStreamVolume sets the volume of a stream in dB, -50 to 50, and turns its automatic
// volume off. It reports false if there is none of that name.
func (o *Opener) SetStreamVolume(name string, db int) bool {
	return o.adjustStream(name, func(c *LocalStream) {
		c.Volume, c.AutoVolume, c.AutoLow = min(max(db, -maxVolume), maxVolume), 0, 0
	})
}

// SetStreamAutoVolume sets the automatic volume of a stream, as LocalStream has it. It
// reports false if there is none of that name.
func (o *Opener) SetStreamAutoVolume(name string, score, low int) bool {
	return o.adjustStream(name, func(c *LocalStream) {
		c.AutoVolume, c.AutoLow = min(max(score, 0), MaxAutoVolume), min(max(low, 0), MaxAutoVolume)
	})
}

func (o *Opener) adjustStream(name string, change func(*LocalStream)) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	conf, ok := o.LocalStreams[name]
	if !ok {
		return false
	}
	change(&conf)
	o.LocalStreams[name] = conf
	for _, h := range o.of(name) {
		h.setVolume(conf)
	}
	return true
}

// maxVolume bounds a stream's volume, in dB either way.
const maxVolume = 50
