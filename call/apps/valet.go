package apps

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/media"
)

const valetSyntax = "<lotname> <extension>|[ask [<min>] [<max>] [<to>] [<prompt>]|auto [in|out] [min] [max]]"

// Times of valet parking.
const (
	valetTimeout  = 60 * time.Second        // with an orbit extension and no valet_parking_timeout
	valetPause    = 1500 * time.Millisecond // before the slot is announced
	valetReserved = 40 * time.Second        // a slot is kept for a call that is on its way
)

func valet(Deps) []call.Application {
	v := &valetLots{reserved: make(map[slotName]reservation)}
	return []call.Application{
		{Name: "valet_park", Syntax: valetSyntax, Description: "valet_park", Run: v.park},
	}
}

// slotName is where a call can be parked.
type slotName struct{ lot, extension string }

// valetSlot is kept with the channel that is parked in it.
type valetSlot struct {
	slotName
	since time.Time
}

// reservation keeps a slot for a channel that is being transferred to it.
type reservation struct {
	uuid  string
	until time.Time
}

// valetLots gives slots away. Who is parked where is known by the channels
// themselves.
type valetLots struct {
	mu       sync.Mutex
	reserved map[slotName]reservation
}

// ValetLot is a lot with its parked calls, as valet_info tells of it.
type ValetLot struct {
	Name  string
	Slots []ValetSlot
}

// ValetSlot is one parked call.
type ValetSlot struct{ UUID, Extension string }

// ValetLots returns the lots in which somebody is parked, by name.
func ValetLots(sw *call.Switch) []ValetLot {
	lots := map[string][]ValetSlot{}
	for _, ch := range sw.Channels() {
		if s, ok := ch.Private("valet").(valetSlot); ok && ch.Up() {
			lots[s.lot] = append(lots[s.lot], ValetSlot{ch.UUID(), s.extension})
		}
	}
	out := make([]ValetLot, 0, len(lots))
	for name, slots := range lots {
		sort.Slice(slots, func(i, j int) bool { return slots[i].Extension < slots[j].Extension })
		out = append(out, ValetLot{name, slots})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// parked finds who is parked in a slot.
func parked(sw *call.Switch, at slotName) *call.Channel {
	for _, ch := range sw.Channels() {
		if s, ok := ch.Private("valet").(valetSlot); ok && s.slotName == at && ch.Up() {
			return ch
		}
	}
	return nil
}

// take gives the slot to ch, unless it is occupied or kept for another.
func (v *valetLots) take(ch *call.Channel, at slotName) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.takeLocked(ch, at)
}

func (v *valetLots) takeLocked(ch *call.Channel, at slotName) bool {
	now := time.Now()
	for name, r := range v.reserved {
		if now.After(r.until) {
			delete(v.reserved, name)
		}
	}
	if r, kept := v.reserved[at]; kept && r.uuid != ch.UUID() {
		return false
	}
	if parked(ch.Switch(), at) != nil {
		return false
	}
	delete(v.reserved, at)
	ch.SetPrivate("valet", valetSlot{at, now})
	return true
}

// free finds and takes the first free slot from low to high; high 0 is no end.
func (v *valetLots) free(ch *call.Channel, lot string, low, high int) (slotName, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	const endless = 1 << 16
	if high == 0 {
		high = low + endless
	}
	for i := max(low, 1); i <= high && i-low <= endless; i++ {
		at := slotName{lot, strconv.Itoa(i)}
		if v.takeLocked(ch, at) {
			return at, true
		}
	}
	return slotName{}, false
}

// longest finds who has been parked longest between low and high.
func longest(sw *call.Switch, lot string, low, high int) (slotName, *call.Channel) {
	var found *call.Channel
	var best valetSlot
	for _, ch := range sw.Channels() {
		s, ok := ch.Private("valet").(valetSlot)
		n, err := strconv.Atoi(s.extension)
		if !ok || s.lot != lot || err != nil || n < low || (high > 0 && n > high) || !ch.Up() {
			continue
		}
		if found == nil || s.since.Before(best.since) {
			found, best = ch, s
		}
	}
	return best.slotName, found
}

// park is the application: it parks the call in a slot, or bridges it with who is
// parked there.
func (v *valetLots) park(ctx context.Context, ch *call.Channel, args string) error {
	f := strings.Fields(args)
	if len(f) < 2 {
		return usage("valet_park " + valetSyntax)
	}
	at := slotName{f[0], f[1]}
	switch strings.ToLower(f[1]) {
	case "auto":
		return v.auto(ctx, ch, f)
	case "ask":
		digits, result := v.ask(ctx, ch, f)
		if result != "success" {
			if ch.Ready() {
				ch.Hangup(call.CauseDestinationOutOfOrder)
			}
			return nil
		}
		at.extension = digits
	}
	if who := parked(ch.Switch(), at); who != nil && who != ch {
		return v.pick(ctx, ch, at, who)
	}
	if !v.take(ch, at) {
		return errors.New("valet_park: " + at.extension + " is taken")
	}
	return v.hold(ctx, ch, at)
}

func (v *valetLots) ask(ctx context.Context, ch *call.Channel, f []string) (digits, result string) {
	setting := func(i int, variable string, otherwise int) int {
		if n := number(arg(f, i), 0); n > 0 {
			return n
		}
		if n := number(ch.Get(variable), 0); n > 0 {
			return n
		}
		return otherwise
	}
	prompt := arg(f, 5)
	if prompt == "" {
		prompt = ch.Get("valet_ext_prompt")
	}
	if prompt == "" {
		prompt = "ivr/ivr-enter_ext_pound.wav"
	}
	return ch.ReadDigits(ctx, call.ReadOptions{Min: setting(2, "valet_ext_min", 1), Max: setting(3, "valet_ext_max", 11),
		File: prompt, Timeout: ms(setting(4, "valet_ext_to", 10000)), Terminators: "#"})
}

// auto parks in the first free slot, or fetches who waits longest.
func (v *valetLots) auto(ctx context.Context, ch *call.Channel, f []string) error {
	way := strings.ToLower(arg(f, 2))
	if len(f) < 5 || (way != "in" && way != "out") {
		return usage("valet_park " + valetSyntax)
	}
	lot, low, high := f[0], number(f[3], 0), number(f[4], 0)
	if way == "out" {
		at, who := longest(ch.Switch(), lot, low, high)
		if who == nil {
			return v.refuse(ctx, ch, "empty")
		}
		return v.pick(ctx, ch, at, who)
	}
	at, ok := v.free(ch, lot, low, high)
	if !ok {
		return v.refuse(ctx, ch, "full")
	}
	partner := other(ch)
	if partner != nil && ch.Partner() == partner {
		// Who presses the keys parks the other one.
		ch.SetPrivate("valet", nil)
		v.mu.Lock()
		v.reserved[at] = reservation{partner.UUID(), time.Now().Add(valetReserved)}
		v.mu.Unlock()
		v.announce(ctx, ch, at)
		actions := []call.Action{}
		for _, name := range []string{"valet_parking_timeout", "valet_parking_orbit_exten", "valet_parking_orbit_dialplan",
			"valet_parking_orbit_context", "valet_parking_orbit_exit_key", "valet_hold_music"} {
			if value := ch.Get(name); value != "" {
				actions = append(actions, call.Action{App: "set", Data: name + "=" + value})
			}
		}
		actions = append(actions, call.Action{App: "valet_park", Data: at.lot + " " + at.extension})
		if err := partner.TransferTo(&call.Extension{Name: "valet_park", Actions: actions}); err != nil {
			return err
		}
		ch.Hangup(call.CauseNormalClearing)
		return nil
	}
	v.announce(ctx, ch, at)
	return v.hold(ctx, ch, at)
}

func (v *valetLots) refuse(ctx context.Context, ch *call.Channel, why string) error {
	if ch.Switch().Application("phrase") != nil {
		ch.Execute(ctx, "phrase", "valet_lot_"+why)
	}
	ch.Log(call.LogErr, "%s lot is %s.", ch.Name(), why)
	return nil
}

// announce says the slot unless valet_announce_slot is false.
func (v *valetLots) announce(ctx context.Context, ch *call.Channel, at slotName) {
	if s := ch.Get("valet_announce_slot"); s != "" && !call.True(s) || ch.Switch().Application("phrase") == nil {
		return
	}
	if ch.Sleep(ctx, valetPause, call.WaitOptions{}) == nil {
		ch.Execute(ctx, "phrase", fmt.Sprintf("valet_announce_ext,%s:%s", at.lot, at.extension))
	}
}

// tell fires valet_parking::info and the presence of lot and slot.
func (v *valetLots) tell(ch *call.Channel, at slotName, action string, more ...call.Var) {
	e := event.New(event.Custom, "valet_parking::info")
	e.Add("Valet-Lot-Name", at.lot)
	e.Add("Valet-Extension", at.extension)
	e.Add("Action", action)
	for _, m := range more {
		e.Add(m.Name, m.Value)
	}
	ch.AddTo(e)
	bus := ch.Switch().Bus
	bus.Publish(e, "mod_valet_parking.c", "valet_parking_function", 750)
	lot, domain, ok := strings.Cut(at.lot, "@")
	if !ok {
		domain = ch.Switch().Globals.Get("domain")
	}
	count := 0
	for _, l := range ValetLots(ch.Switch()) {
		if l.Name == at.lot {
			count = len(l.Slots)
		}
	}
	valetPresence(ch.Switch(), lot, domain, lotStatus(count), count > 0, "inbound")
	switch action {
	case "hold":
		valetPresence(ch.Switch(), at.extension, domain, "Holding", true, "outbound")
	case "bridge":
		valetPresence(ch.Switch(), at.extension, domain, "Active", true, "inbound")
	default:
		valetPresence(ch.Switch(), at.extension, domain, "Empty", false, "inbound")
	}
}

// valetPresence tells those who watch a lot or a slot of it.
func valetPresence(sw *call.Switch, login, domain, status string, busy bool, direction string) {
	e := event.New(event.PresenceIn, "")
	e.Add("proto", "park")
	e.Add("login", login)
	e.Add("from", login+"@"+domain)
	e.Add("force-status", status)
	rpid, state, answer := "unknown", "CS_HANGUP", "terminated"
	if busy {
		rpid, state, answer = "active", "CS_ROUTING", "confirmed"
	}
	e.Add("rpid", rpid)
	e.Add("event_type", "presence")
	e.Add("alt_event_type", "dialog")
	e.Add("event_count", "0")
	e.Add("unique-id", login)
	e.Add("channel-state", state)
	e.Add("answer-state", answer)
	e.Add("presence-call-direction", direction)
	sw.Bus.Publish(e, "mod_valet_parking.c", "valet_send_presence", 340)
}

// AnswerValetProbes tells of a lot or a slot when a PRESENCE_PROBE asks for it,
// park+NAME@DOMAIN, until cancel.
func AnswerValetProbes(sw *call.Switch) (cancel func()) {
	return sw.Bus.Handle(event.PresenceProbe, "", func(e *event.Event) {
		to, ok := strings.CutPrefix(e.Get("to"), "park+")
		name, domain, full := strings.Cut(to, "@")
		if !ok || !full {
			return
		}
		for _, lot := range ValetLots(sw) {
			if lot.Name == name || lot.Name == to {
				valetPresence(sw, name, domain, lotStatus(len(lot.Slots)), true, "inbound")
			}
			for _, slot := range lot.Slots {
				if slot.Extension == name {
					valetPresence(sw, name, domain, "Holding", true, "outbound")
				}
			}
		}
	})
}

// lotStatus says how many are parked in a lot.
func lotStatus(n int) string {
	switch n {
	case 0:
		return "Empty"
	case 1:
		return "Active (1 caller)"
	}
	return fmt.Sprintf("Active (%d callers)", n)
}

// pick bridges the call with who is parked.
func (v *valetLots) pick(ctx context.Context, ch *call.Channel, at slotName, who *call.Channel) error {
	who.SetPrivate("valet", nil)
	if err := ch.Answer(ctx); err != nil && !ch.MediaReady() {
		return err
	}
	v.tell(ch, at, "bridge", call.Var{Name: "Bridge-To-UUID", Value: who.UUID()})
	return ch.BridgeWith(who)
}

// hold keeps the call in its slot, with music, until it is fetched or its time is
// over.
func (v *valetLots) hold(ctx context.Context, ch *call.Channel, at slotName) error {
	ch.Set("valet_lot_extension", at.extension)
	v.tell(ch, at, "hold")
	defer func() {
		if s, ok := ch.Private("valet").(valetSlot); ok && s.slotName == at {
			ch.SetPrivate("valet", nil)
		}
		v.tell(ch, at, "exit")
	}()
	music := ch.Get("valet_hold_music")
	if music == "" {
		music = ch.HoldMusic()
	}
	if music != "" && !strings.EqualFold(music, "silence") {
		if stop, err := ch.PlayBehind(ctx, music); err == nil {
			defer stop()
		} else {
			ch.Log(call.LogErr, "valet_park: %s: %v", music, err)
		}
	}
	orbit := ch.Get("valet_parking_orbit_exten")
	var limit time.Duration
	if orbit != "" {
		limit = valetTimeout
	}
	if n := number(ch.Get("valet_parking_timeout"), 0); n > 0 {
		limit = time.Duration(n) * time.Second
	}
	waiting, stop := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		waiting, stop = context.WithTimeoutCause(ctx, limit, errParkedLong)
	}
	defer stop()
	exit := ch.Get("valet_parking_orbit_exit_key")
	left := false
	var err error
	for {
		err = ch.Wait(waiting, nil, call.WaitOptions{Digit: func(d media.Digit) bool {
			left = orbit != "" && exit != "" && exit[0] == d.Char
			return left || d.Char == '#'
		}})
		if !errors.Is(err, call.ErrBreak) {
			break
		}
	}
	if (errors.Is(err, errParkedLong) || left) && orbit != "" && ch.Ready() {
		return ch.Transfer(orbit, ch.Get("valet_parking_orbit_dialplan"), ch.Get("valet_parking_orbit_context"))
	}
	if errors.Is(err, errParkedLong) || errors.Is(err, call.ErrStopped) {
		return nil
	}
	return err
}

var errParkedLong = errors.New("parked for too long")
