package conference

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
)

// comfortNoise is the level that comfort-noise=true stands for.
const comfortNoise = 1400

// profile is what conference.conf says of a kind of room (spec/conference.md §2).
type profile struct {
	name      string // "none" if the profile does not exist
	params    map[string]string
	variables []call.Var

	rate, interval int // Hz, ms; 0 is auto
	domain         string
	energy         int
	autoEnergy     int
	autoSeconds    int
	agc            media.AGC
	comfortNoise   int
	maxMembers     int
	pinRetries     int
	digitTimeout   time.Duration
	grace          time.Duration
	silence        time.Duration // terminate-on-silence
	heartbeat      time.Duration
	recordMin      int
	announce       int // say how many there are from this many on
	suppressed     []string
	verbose        bool
}

// sounds are the parameters that name one, with their defaults.
var soundDefaults = map[string]string{
	"pin-sound": "conference/conf-pin.wav", "bad-pin-sound": "conference/conf-bad-pin.wav",
}

// configuration is conference.conf as it stands for one caller.
type configuration struct{ root *conf.Node }

func (rs *Rooms) configuration(ctx context.Context, q request, uuid string) configuration {
	params := map[string]string{"conference_name": q.name, "profile_name": q.profile, "Fetch-Call-UUID": uuid}
	return configuration{rs.opts.Store.Lookup(ctx, "configuration", "configuration", "name", "conference.conf", params)}
}

// profile returns the profile of that name, or the built-in defaults.
func (c configuration) profile(name string) *profile {
	n := c.root.Child("profiles").Find("profile", "name", name)
	params := make(map[string]string)
	for _, p := range conf.Params(n) {
		if v := p.Attr("value"); v != "" {
			params[strings.ReplaceAll(strings.ToLower(p.Attr("name")), "_", "-")] = v
		}
	}
	p := newProfile("none", params)
	if n != nil {
		p.name = n.Attr("name")
	}
	for _, v := range n.Child("variables").ChildrenNamed("variable") {
		p.variables = append(p.variables, call.Var{Name: v.Attr("name"), Value: v.Attr("value")})
	}
	return p
}

func newProfile(name string, params map[string]string) *profile {
	p := &profile{name: name, params: params}
	p.rate = rateOf(params["rate"], 8000)
	p.interval = intervalOf(params["interval"], 20)
	p.domain = params["domain"]
	p.energy = p.bounded("energy-level", 0, 0, topEnergy)
	p.autoEnergy = p.bounded("auto-energy-level", 0, 0, topEnergy)
	if p.energy == 0 {
		p.energy = p.autoEnergy / 2
	}
	p.autoSeconds = p.bounded("auto-energy-seconds", 5, 1, 3600)
	p.agc = media.AGC{Level: p.bounded("auto-gain-level", 0, 0, 1<<15), Low: p.bounded("auto-gain-low-energy-level", 0, 0, 1<<15),
		Margin: p.bounded("auto-gain-margin", 100, 0, 1<<15), Factor: p.bounded("auto-gain-change-factor", 2, 0, 100),
		Period: p.bounded("auto-gain-period-len", 25, 1, 10000)}
	if n := p.bounded("comfort-noise", 0, 0, 9999); n > 1 {
		p.comfortNoise = n
	} else if conf.True(params["comfort-noise"]) {
		p.comfortNoise = comfortNoise
	}
	if n := p.bounded("max-members", 0, 0, 1<<20); n > 1 {
		p.maxMembers = n
	}
	p.pinRetries = p.bounded("pin-retries", 3, 0, 100)
	p.digitTimeout = time.Duration(p.bounded("ivr-dtmf-timeout", 500, 500, 60000)) * time.Millisecond
	p.grace = p.seconds("endconf-grace-time")
	p.silence = p.seconds("terminate-on-silence")
	if n := p.bounded("heartbeat-period-sec", 0, 0, 86400); n >= 20 {
		p.heartbeat = time.Duration(n) * time.Second
	}
	p.announce = p.bounded("announce-count", 0, 2, 1<<20)
	p.recordMin = p.bounded("min-required-recording-participants", 1, 1, 2)
	for _, w := range strings.Split(params["suppress-events"], ",") {
		if w = strings.TrimSpace(w); w != "" {
			p.suppressed = append(p.suppressed, strings.ToLower(w))
		}
	}
	p.verbose = conf.True(params["verbose-events"])
	return p
}

// get returns a parameter, for sounds also its default.
func (p *profile) get(name string) string {
	if v := p.params[name]; v != "" {
		return v
	}
	return soundDefaults[name]
}

// bounded returns a number between low and high, or otherwise.
func (p *profile) bounded(name string, otherwise, low, high int) int {
	n, err := strconv.Atoi(strings.TrimSpace(p.params[name]))
	if err != nil || n < low || n > high {
		return otherwise
	}
	return n
}

func (p *profile) seconds(name string) time.Duration {
	return time.Duration(p.bounded(name, 0, 0, 1<<30)) * time.Second
}

// suppresses reports whether events of that kind are not wanted.
func (p *profile) suppresses(kind string) bool {
	return kind != "" && (slices.Contains(p.suppressed, kind) || slices.Contains(p.suppressed, "all"))
}

// rates are the rates of rooms in Hz.
var rates = [...]int{8000, 12000, 16000, 24000, 32000, 44100, 48000}

// rateOf reads a rate; auto is 0, nonsense is otherwise.
func rateOf(text string, otherwise int) int {
	if strings.EqualFold(text, "auto") {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(rates[:], n) {
		return otherwise
	}
	return n
}

// intervalOf reads an interval in ms, a multiple of 10 up to 120; auto is 0.
func intervalOf(text string, otherwise int) int {
	if strings.EqualFold(text, "auto") {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 || n > 120 || n%10 != 0 {
		return otherwise
	}
	return n
}

// nearestRate is the room's rate for a caller at rate Hz.
func nearestRate(rate int) int {
	for _, r := range rates {
		if rate <= r {
			return r
		}
	}
	return rates[len(rates)-1]
}
