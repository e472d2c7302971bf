package calls

import (
	"strings"
	"testing"

	"github.com/switchlet/switchlet/test/box"
)

// A macro of phrases may run a script, on the call for which it speaks.
func TestPhrase_ActionExecuteRunsAScript(t *testing.T) {
	b := box.Start(t, box.Setup{
		Files: map[string]string{"lang/en/ivr/own.xml": `<include>
 <macro name="with_script"><input pattern="^(\d+)$"><match>
  <action function="execute" data="set(before=${got})"/>
  <action function="execute" data="lua(macro.lua $1 last)"/>
  <action function="execute" data="set(after=${got})"/>
 </match></input></macro>
</include>`,
			"dialplan/default/00_phrase.xml": `<include>
<extension name="phrase"><condition field="destination_number" expression="^7(\d+)$">
  <action application="answer"/><action application="phrase" data="with_script,$1"/><action application="park"/>
</condition></extension>
</include>`},
		Scripts: map[string]string{"macro.lua": `session:setVariable("got", argv[1] .. "-" .. argv[2] .. "-" .. tostring(session:ready()))`},
	})
	c := b.ESL(t)
	out := b.API(t, c, "originate {origination_uuid=phrase}null/x 742 XML default")
	if !strings.HasPrefix(out, "+OK") {
		t.Fatal(out)
	}
	box.Eventually(t, patience, "the call is parked", func() bool {
		return b.API(t, c, "uuid_getvar phrase current_application") == "park"
	})
	for name, want := range map[string]string{"before": "_undef_", "got": "42-last-true", "after": "42-last-true"} {
		if got := b.API(t, c, "uuid_getvar phrase "+name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The guides' example of sayPhrase: the caller hears the menu until a key is pressed.
func TestPhrase_ScriptSaysTheVoicemailMenu(t *testing.T) {
	b := box.Start(t, box.Setup{Scripts: map[string]string{"menu.lua": `function key_press(session, input_type, data, args)
  if input_type == "dtmf" then
    session:setVariable("pressed", data["digit"])
    return "break"
  end
end
if session:ready() then
  session:answer()
  session:setInputCallback("key_press", "")
  session:sayPhrase("voicemail_menu", "1:2:3:#", "en")
  session:setVariable("said", "yes")
  session:setAutoHangup(false)
end`}})
	c := b.ESL(t)
	if err := c.Subscribe(t.Context(), "PLAYBACK_START"); err != nil {
		t.Fatal(err)
	}
	if out := b.API(t, c, "originate {origination_uuid=phrase}null/x 'lua:menu.lua,park' inline"); !strings.HasPrefix(out, "+OK") {
		t.Fatal(out)
	}
	for _, want := range []string{"vm-listen_new.wav", "vm-press.wav", "digits/1.wav", "vm-listen_saved.wav"} {
		if got := next(t, c).Get("Playback-File-Path"); !strings.HasSuffix(got, want) {
			t.Fatalf("plays %q, want %s", got, want)
		}
	}
	b.API(t, c, "uuid_recv_dtmf phrase 2")
	box.Eventually(t, patience, "the menu ends", func() bool {
		return b.API(t, c, "uuid_getvar phrase said") == "yes"
	})
	if got := b.API(t, c, "uuid_getvar phrase pressed"); got != "2" {
		t.Errorf("pressed is %q", got)
	}
}
