package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/test/box"
)

const reliablePlan = `<include>
  <extension name="early">
    <condition field="destination_number" expression="^early$">
      <action application="pre_answer"/>
      <action application="answer"/>
      <action application="echo"/>
    </condition>
  </extension>
</include>
`

// reliableBox is a box with enable-100rel.
func reliableBox(t *testing.T) *box.Box {
	t.Helper()
	return box.Start(t, box.Setup{Files: map[string]string{"dialplan/interop.xml": interopPlan, "dialplan/interop/early.xml": reliablePlan,
		"directory/default/7000.xml": interopUser}, Params: []conf.Param{{File: "sofia.conf", Path: []string{"internal"}, Name: "enable-100rel", Value: "true"}}})
}

func TestSIPp_ReliableProvisionalToTheCaller(t *testing.T) {
	b := reliableBox(t)
	w, v := observe(t, b), newVoice(t)
	call := sipp{Scenario: "reliable_call", User: "7000", Number: "early", Talk: 1500 * time.Millisecond, RTP: v.port()}.start(t, b)
	v.talk(t, w.awaitName("CHANNEL_ANSWER", ""), 600)
	box.Eventually(t, patience, "the tone comes back", func() bool { return v.hears(600) })
	call.wait(t)
	// It is sent again after half a second; the PRACK comes later.
	if n := call.count(t, "SIP/2.0 183"); n < 2 {
		t.Errorf("the 183 came %d times, want 2", n)
	}
}

func TestSIPp_ReliableProvisionalOfTheCallee(t *testing.T) {
	b := reliableBox(t)
	w, near, far := observe(t, b), newVoice(t), newVoice(t)
	callee := sipp{Scenario: "reliable_answer", RTP: far.port()}.start(t, b)
	caller := sipp{Scenario: "reliable_call", User: "7000", RTP: near.port(), Talk: 2 * time.Second,
		Number: fmt.Sprintf("after-%d", callee.port)}.start(t, b)
	near.talk(t, w.awaitName("CHANNEL_BRIDGE", ""), 500)
	far.talk(t, w.leg("outbound"), 900)
	box.Eventually(t, patience, "both hear each other", func() bool { return near.hears(900) && far.hears(500) })
	caller.wait(t)
	callee.wait(t)
	if n := callee.count(t, "PRACK "); n < 2 {
		t.Errorf("the PRACK came %d times, want 2", n)
	}
}
