package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/event"
	"github.com/switchlet/switchlet/test/phone"
)

// carrierOf makes a gateway of one house to another's profile.
func carrierOf(other *house, extra string) string {
	return fmt.Sprintf(`<gateway name="carrier"><param name="username" value="1000"/><param name="password" value="secret"/>
	 <param name="realm" value="test.local"/><param name="proxy" value="%s"/><param name="from-domain" value="test.local"/>
	 <param name="expire-seconds" value="120"/>%s</gateway>`, other.addr(), extra)
}

func TestGateway_RegistersAndCalls(t *testing.T) {
	far := newHouse(t, houseOptions{})
	h := newHouse(t, houseOptions{gateways: carrierOf(far, "")})
	h.wait("REGED", func(e *event.Event) bool {
		return e.Get("Event-Subclass") == "sofia::gateway_state" && e.Get("State") == "REGED"
	})
	status := h.api("sofia status gateway carrier")
	for _, want := range []string{"State   \tREGED\n", "Status  \tUP\n", "Name    \tcarrier\n", "Realm   \ttest.local\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if got := far.api("sofia_contact 1000@test.local"); !strings.HasPrefix(got, "sofia/internal/sip:gw+carrier@127.0.0.1:") {
		t.Errorf("far end has %q", got)
	}
	c := must[*phone.Call](t)(h.phone("1000").Call("gw9196"))
	ok(t, c.Hangup())
	if out := h.api("sofia status"); !strings.Contains(out, "internal::carrier\tgateway") || !strings.Contains(out, "1 profile 2 aliases\n") {
		t.Error(out)
	}
	if got := h.api("sofia profile internal killgw carrier"); got != "+OK gateway marked for deletion.\n" {
		t.Errorf("killgw: %q", got)
	}
	far.waitCustom("sofia::unregister")
}

// Whoever calls right after the carrier accepted the registration must not hear that
// the gateway is down.
func TestGateway_Accepted_UpBeforeTheNextTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := event.NewBus(func() event.Origin { return event.Origin{} }, time.Now)
		sw := call.NewSwitch(call.Options{Bus: bus, Log: call.NewLog()})
		p := &Profile{stack: &Stack{Options: Options{Switch: sw}}}
		p.ctx, p.cancel = context.WithCancel(t.Context())
		g := newGateway(p, "carrier", &gatewaySettings{register: true, proxyHost: "127.0.0.1", expires: 3600, timeout: 60})
		g.state, g.at = gwTrying, time.Now().Add(time.Minute) // its REGISTER is on its way
		g.run()
		synctest.Wait()
		begun := time.Now()
		g.registered(wire.NewResponse(200, "OK"), nil)
		synctest.Wait()
		if !g.up() || !time.Now().Equal(begun) {
			t.Errorf("up is %v after %v", g.up(), time.Since(begun))
		}
		p.cancel()
		p.work.Wait()
	})
}

func TestGateway_WrongSecret_Fails(t *testing.T) {
	far := newHouse(t, houseOptions{})
	h := newHouse(t, houseOptions{gateways: strings.Replace(carrierOf(far, ""), `"secret"`, `"guess"`, 1)})
	h.wait("FAIL_WAIT", func(e *event.Event) bool {
		return e.Get("Event-Subclass") == "sofia::gateway_state" && e.Get("State") == "FAIL_WAIT"
	})
	c := must[*phone.Call](t)(h.phone("1000").Dial("gw9196"))
	recv(t, c.Done())
	if status, _ := c.Status(); status != 503 {
		t.Errorf("status %d, want 503", status)
	}
}

func TestGateway_StrangersRealm_NotAnswered(t *testing.T) {
	far := newHouse(t, houseOptions{params: `<param name="challenge-realm" value="evil.example"/>`})
	gw := carrierOf(far, `<param name="register" value="false"/>`)
	h := newHouse(t, houseOptions{gateways: gw})
	c := must[*phone.Call](t)(h.phone("1000").Dial("gw9196"))
	recv(t, c.Done())
	if status, _ := c.Status(); status != 603 && status != 407 && status != 480 {
		t.Errorf("status %d, want a refusal", status)
	}
	for _, p := range far.stack.Profiles() {
		if n := p.counters.callsIn.Load(); n != 0 {
			t.Errorf("%d calls got through", n)
		}
	}
}

// A number with a host of its own, or a redirection, leads to a stranger: the gateway's
// password is not for its challenges.
func TestGateway_OtherHost_NotAnswered(t *testing.T) {
	far := newHouse(t, houseOptions{})
	h := newHouse(t, houseOptions{gateways: carrierOf(far, `<param name="register" value="false"/>`),
		plan: `<extension name="astray"><condition field="destination_number" expression="^(home|astray)$"><action application="bridge" data="sofia/gateway/carrier/9196@${host_$1}:` +
			fmt.Sprint(far.addr().Port()) + `"/></condition></extension>`})
	h.stack.Store.Globals().Set("host_home", "127.0.0.1")
	h.stack.Store.Globals().Set("host_astray", "localhost")
	c := must[*phone.Call](t)(h.phone("1000").Call("home"))
	ok(t, c.Hangup())
	before := far.profile().counters.callsIn.Load()
	c = must[*phone.Call](t)(h.phone("1000").Dial("astray"))
	recv(t, c.Done())
	if n := far.profile().counters.callsIn.Load() - before; before != 1 || n != 0 {
		t.Errorf("%d calls got through to the gateway, %d to the stranger", before, n)
	}
	g := h.stack.Gateway("carrier")
	for host, want := range map[string]bool{"127.0.0.1": true, "TEST.local": true, "localhost": false, "": false} {
		if g.home(host) != want {
			t.Errorf("home(%q) is %v", host, !want)
		}
	}
}

func TestDial_BadDestinations_Causes(t *testing.T) {
	h := newHouse(t, houseOptions{plan: `<extension name="bad"><condition field="destination_number" expression="^bad(.*)$"><action application="set" data="continue_on_fail=true"/><action application="bridge" data="$1"/><action application="park"/></condition></extension>`})
	for dial, want := range map[string]string{
		"sofia/nosuch/1@127.0.0.1": "INVALID_PROFILE", "sofia/gateway/nope/1": "INVALID_GATEWAY", "sofia/internal/4711": "USER_NOT_REGISTERED",
	} {
		_, err := h.stack.Endpoint().Dial(t.Context(), h.sw, request(dial))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", dial, err, want)
		}
	}
}

func request(dial string) *call.DialRequest {
	return &call.DialRequest{Data: strings.TrimPrefix(dial, "sofia/"), Vars: call.NewVars()}
}

func TestGatewayPing_UnderItsOwnName_AndEachAnswerIsTold(t *testing.T) {
	h := newHouse(t, houseOptions{})
	far := h.phone("1001")
	g := newGateway(h.profile(), "carrier", &gatewaySettings{proxyHost: far.Addr().String(), expires: 3600, ping: 60, pingMin: 1, pingMax: 1,
		transport: "udp", pingAgent: "Watchman", pingMonitoring: true})
	for range 2 {
		g.mu.Lock()
		g.ping()
		g.mu.Unlock()
		if r := recv(t, far.Messages()); r.Method != wire.OPTIONS || header(r, "User-Agent") != "Watchman" {
			t.Errorf("%s from %q", r.Method, header(r, "User-Agent"))
		}
		e := h.waitCustom("sofia::gateway_state")
		if e.Get("Status") != "200" || e.Get("Ping-Status") != "UP" || e.Get("State") != "NOREG" {
			t.Errorf("%s", e.Plain())
		}
	}
}
