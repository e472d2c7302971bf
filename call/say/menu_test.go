package say_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
)

const menus = `
<menu name="main" greet-long="ivr/ivr-welcome.wav" greet-short="ivr/ivr-hello.wav" invalid-sound="ivr/ivr-that_was_an_invalid_entry.wav"
  exit-sound="voicemail/vm-goodbye.wav" transfer-sound="ivr/ivr-hold_connect_call.wav" timeout="2000" inter-digit-timeout="500" max-failures="2" max-timeouts="2" digit-len="4"
  exec-on-max-failures="set gave_up=${ivr_menu_status}" exec-on-max-timeouts="set gave_up=yes">
 <entry action="menu-play-sound" digits="1" param="digits/1.wav"/>
 <entry action="menu-sub" digits="2" param="sub"/>
 <entry action="menu-exec-app" digits="/^(3\d\d)$/" param="set number=$1"/>
 <entry action="menu-exec-app" digits="/^3/" param="set second=yes"/>
 <entry action="menu-exec-app" digits="4" param="transfer set:moved=yes,park inline"/>
 <entry action="menu-exec-app" digits="5" param="no_such_application"/>
 <entry action="menu-sub" digits="6" param="no_such_menu"/>
 <entry action="menu-exit" digits="*"/>
</menu>
<menu name="sub" greet-long="digits/20.wav" timeout="1000" max-failures="1" max-timeouts="1">
 <entry action="menu-play-sound" digits="7" param="digits/7.wav"/>
 <entry action="menu-back" digits="8"/>
 <entry action="menu-top" digits="9"/>
 <entry action="menu-exit" digits="0"/>
 <entry action="menu-sub" digits="5" param="deep"/>
</menu>
<menu name="deep" greet-long="digits/30.wav"><entry action="menu-top" digits="9"/></menu>
<menu name="patterns" greet-long="digits/1.wav" max-failures="2"><entry action="menu-exit" digits="/^1$/"/></menu>
<menu name="pinned" pin="1234" greet-long="digits/2.wav" timeout="500" max-timeouts="1"><entry action="menu-exit" digits="1"/></menu>
<menu name="confirmed" greet-long="digits/3.wav" confirm-macro="both" confirm-key="1" confirm-attempts="2" timeout="1000" inter-digit-timeout="300" digit-len="2" max-failures="2" max-timeouts="2">
 <entry action="menu-exit" digits="55"/></menu>
<menu name="broken" greet-long="digits/3.wav"><entry action="menu-dance" digits="1"/></menu>
<menu name="silent"><entry action="menu-exit" digits="1"/></menu>`

// step is a key pressed after a while.
type step struct {
	after time.Duration
	keys  string
}

func TestMenu_LeadsTheCaller(t *testing.T) {
	const (
		long, short = "ivr/ivr-welcome.wav", "ivr/ivr-hello.wav"
		invalid     = "ivr/ivr-that_was_an_invalid_entry.wav"
		bye         = "voicemail/vm-goodbye.wav"
		second      = time.Second
		enter       = "menu::enter=main "
		leave       = "menu::exit=main "
		inSub       = "menu::enter=sub digits/20.wav "
		outSub      = "menu::exit=sub "
	)
	for _, c := range []struct {
		name, menu string
		steps      []step
		want       string // what is heard
		status     string
		vars       string // NAME=VALUE …
	}{
		{"a sound, then out", "main", []step{{second, "1"}, {3 * second, "*"}}, enter + long + " digits/1.wav " + short + " " + leave + bye, "success", ""},
		{"nothing pressed", "main", nil, enter + long + " " + short + " " + leave + bye, "timeout", "gave_up=yes"},
		{"wrong twice", "main", []step{{second, "88"}, {5 * second, "88"}}, enter + long + " " + invalid + " " + short + " " + invalid + " " + leave + bye, "failure", "gave_up=failure"},
		{"every entry that matches", "main", []step{{second, "345"}, {3 * second, "*"}}, enter + long + " " + short + " " + leave + bye, "success", "number=345 second=yes"},
		{"the terminator ends the entry", "main", []step{{second, "1#"}, {2 * second, "*"}}, enter + long + " digits/1.wav " + short + " " + leave + bye, "success", ""},
		{"a sub menu and back", "main", []step{{second, "2"}, {2 * second, "8"}, {2 * second, "*"}}, enter + long + " " + inSub + outSub + long + " " + leave + bye, "success", ""},
		{"to the top", "main", []step{{second, "2"}, {2 * second, "5"}, {2 * second, "9"}, {2 * second, "*"}},
			enter + long + " " + inSub + "menu::enter=deep digits/30.wav menu::exit=deep " + outSub + short + " " + leave + bye, "success", ""},
		{"out of all of them", "main", []step{{second, "2"}, {2 * second, "0"}}, enter + long + " " + inSub + outSub + leave + bye, "success", ""},
		{"a sub menu gives up", "main", []step{{second, "2"}, {8 * second, "*"}}, enter + long + " " + inSub + outSub + long + " " + short + " " + leave + bye, "timeout", ""},
		{"an application that is not there", "main", []step{{second, "5"}}, enter + long + " " + leave + bye, "success", ""},
		{"a menu that is not there", "main", []step{{second, "6"}}, enter + long + " " + leave + bye, "success", ""},
		{"a transfer", "main", []step{{second, "4"}}, enter + long + " ivr/ivr-hold_connect_call.wav " + strings.TrimSpace(leave), "success", "moved=yes"},
		{"only patterns and no length", "patterns", nil, "menu::enter=patterns digits/1.wav digits/1.wav menu::exit=patterns", "failure", ""},
		{"without a greeting", "silent", []step{{second, "1"}}, "menu::enter=silent menu::exit=silent", "success", ""},
		{"the right pin", "pinned", []step{{second, "1234"}, {second / 5, "1"}}, "menu::enter=pinned ivr/ivr-please_enter_pin_followed_by_pound.wav digits/2.wav menu::exit=pinned", "success", ""},
		{"a wrong pin", "pinned", []step{{second, "1111"}, {5 * second, "2222"}, {7 * second, "3333"}}, "menu::enter=pinned " +
			strings.Repeat("ivr/ivr-please_enter_pin_followed_by_pound.wav conference/conf-bad-pin.wav ", 3) + "menu::exit=pinned", "success", ""},
		{"confirmed", "confirmed", []step{{second, "55"}, {second / 2, "1"}}, "menu::enter=confirmed digits/3.wav menu::exit=confirmed", "success", ""},
		{"rejected", "confirmed", []step{{second, "55"}, {second / 2, "2"}, {second * 3 / 2, "55"}, {second / 2, "2"}}, "menu::enter=confirmed digits/3.wav digits/3.wav menu::exit=confirmed", "failure", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, english, menus, func(h *house) {
				h.begin("ivr " + c.menu)
				for _, s := range c.steps {
					h.wait(s.after)
					h.press(s.keys)
				}
				h.parked(time.Minute)
				if got, want := h.played(), strings.TrimSpace(c.want); got != want {
					t.Errorf("played %s\nwant   %s\n%s", got, want, h.logged())
				}
				if got := h.ch.Get("ivr_menu_status"); got != c.status {
					t.Errorf("ivr_menu_status is %q, want %q", got, c.status)
				}
				for _, v := range strings.Fields(c.vars) {
					name, want, _ := strings.Cut(v, "=")
					if got := h.ch.Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

func TestMenu_ThatIsBroken_SaysWhere(t *testing.T) {
	inHouse(t, english, menus, func(h *house) {
		h.begin("ivr broken")
		h.parked(time.Second)
		got := h.logged()
		for _, want := range []string{"Invalid Action [menu-dance] (freeswitch.xml:", "Unable to build xml menu", "Unable to create menu"} {
			if !strings.Contains(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
		}
	})
}

func TestMenu_EndsWithItsCall(t *testing.T) {
	inHouse(t, english, menus, func(h *house) {
		h.begin("ivr main")
		h.wait(300 * time.Millisecond)
		h.ch.Hangup(call.CauseNormalClearing)
		<-h.ch.Done()
		if got := h.played(); got != "menu::enter=main ivr/ivr-welcome.wav menu::exit=main" {
			t.Errorf("played %s", got)
		}
	})
}
