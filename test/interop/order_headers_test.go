package interop

import (
	"slices"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/esl"
)

// commonHeaders come first in every event, all of them (esl.md §4.2).
var commonHeaders = strings.Fields(`Event-Name Core-UUID FreeSWITCH-Hostname FreeSWITCH-Switchname FreeSWITCH-IPv4
	FreeSWITCH-IPv6 Event-Date-Local Event-Date-GMT Event-Date-Timestamp Event-Calling-File Event-Calling-Function
	Event-Calling-Line-Number Event-Sequence`)

// channelHeaders are the channel's block (§4.3), in order.
var channelHeaders = strings.Fields(`Channel-State Channel-Call-State Channel-State-Number Channel-Name Unique-ID
	Session-External-ID Call-Direction Presence-Call-Direction Channel-HIT-Dialplan Channel-Presence-ID Channel-Presence-Data
	Channel-Call-UUID Answer-State Channel-Read-Codec-Name Channel-Read-Codec-Rate Channel-Read-Codec-Bit-Rate
	Channel-Write-Codec-Name Channel-Write-Codec-Rate Channel-Write-Codec-Bit-Rate`)

// alwaysThere are those of the block that no event of a call lacks.
var alwaysThere = strings.Fields(`Channel-State Channel-Call-State Channel-State-Number Channel-Name Unique-ID
	Call-Direction Presence-Call-Direction Channel-HIT-Dialplan Channel-Call-UUID Answer-State`)

// profileHeaders follow the prefix Caller or Other-Leg (§4.4), in order.
var profileHeaders = strings.Fields(`Direction Logical-Direction Username Dialplan Caller-ID-Name Caller-ID-Number
	Orig-Caller-ID-Name Orig-Caller-ID-Number Callee-ID-Name Callee-ID-Number Network-Addr ANI ANI-II Destination-Number
	Unique-ID Source Transfer-Source Context RDNIS Channel-Name Profile-Index Profile-Created-Time Channel-Created-Time
	Channel-Answered-Time Channel-Progress-Time Channel-Progress-Media-Time Channel-Hangup-Time Channel-Transfer-Time
	Channel-Resurrect-Time Channel-Bridged-Time Channel-Last-Hold Channel-Hold-Accum Screen-Bit Privacy-Hide-Name
	Privacy-Hide-Number`)

// withVariables are the events of these tests that carry the variables (§4.3).
var withVariables = strings.Fields(`CHANNEL_CREATE CHANNEL_ORIGINATE CHANNEL_ANSWER CHANNEL_PARK CHANNEL_UNPARK CHANNEL_BRIDGE
	CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE
	CHANNEL_EXECUTE_COMPLETE CHANNEL_DESTROY CHANNEL_HOLD CHANNEL_UNHOLD CALL_UPDATE`)

var withoutVariables = strings.Fields(`CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_OUTGOING CODEC DTMF`)

// headerOrder checks the headers of an event of a call against the tables above.
func headerOrder(t *testing.T, e *esl.Event) {
	t.Helper()
	for i, name := range commonHeaders {
		if i >= len(e.Headers) || e.Headers[i].Name != name {
			t.Errorf("%s: header %d is not %s", label(e), i+1, name)
			return
		}
	}
	for _, name := range alwaysThere {
		if position(e, name) < 0 {
			t.Errorf("%s has no %s", label(e), name)
		}
	}
	block := slices.Clone(channelHeaders)
	for _, prefix := range []string{"Caller-", "Other-Leg-"} {
		for _, name := range profileHeaders {
			block = append(block, prefix+name)
		}
		if prefix == "Caller-" {
			block = append(block, "Other-Type")
		}
	}
	ordered(t, e, block)
	variables := 0
	for _, h := range e.Headers {
		if h.Value == "" {
			t.Errorf("%s: header %s is empty", label(e), h.Name)
		}
		if strings.HasPrefix(h.Name, "variable_") {
			variables++
		}
	}
	if slices.Contains(withVariables, e.Name()) && variables == 0 {
		t.Errorf("%s carries no variables", label(e))
	}
	if slices.Contains(withoutVariables, e.Name()) && variables > 0 {
		t.Errorf("%s carries %d variables", label(e), variables)
	}
}

// createVariables is the order seen in CHANNEL_CREATE of an inbound call (§5.7).
var createVariables = strings.Fields(`direction uuid call_uuid session_id sip_from_user sip_from_port sip_from_uri sip_from_host
	video_media_flow audio_media_flow text_media_flow channel_name sip_call_id sip_local_network_addr sip_network_ip
	sip_network_port sip_invite_stamp sip_received_ip sip_received_port sip_via_protocol sip_from_user_stripped sip_from_tag
	sofia_profile_name sofia_profile_url recovery_profile_name sip_full_via sip_from_display sip_full_from sip_to_display
	sip_full_to sip_req_user sip_req_port sip_req_uri sip_req_host sip_to_user sip_to_port sip_to_uri sip_to_host
	sip_contact_user sip_contact_port sip_contact_uri sip_contact_host rtp_use_codec_string sip_subject sip_via_host
	sip_via_port max_forwards switch_r_sdp ep_codec_string endpoint_disposition`)

// completeVariables is the order of what CHANNEL_HANGUP_COMPLETE adds (§5.7).
var completeVariables = strings.Fields(`current_application sip_to_tag sip_from_tag sip_cseq sip_call_id sip_full_via
	sip_from_display sip_full_from sip_to_display sip_full_to sip_term_status proto_specific_hangup_cause sip_term_cause
	sip_hangup_disposition hangup_cause hangup_cause_q850 digits_dialed start_stamp profile_start_stamp answer_stamp
	progress_media_stamp end_stamp start_epoch start_uepoch profile_start_epoch profile_start_uepoch answer_epoch
	answer_uepoch bridge_epoch bridge_uepoch last_hold_epoch last_hold_uepoch hold_accum_seconds hold_accum_usec
	hold_accum_ms resurrect_epoch resurrect_uepoch progress_epoch progress_uepoch progress_media_epoch
	progress_media_uepoch end_epoch end_uepoch last_app caller_id duration billsec progresssec answersec waitsec
	progress_mediasec flow_billsec mduration billmsec progressmsec answermsec waitmsec progress_mediamsec flow_billmsec
	uduration billusec progressusec answerusec waitusec progress_mediausec flow_billusec`)

// ofTheCaller are variables that a caller gives by its headers; SIPp's calls give
// no display name to the callee and no subject.
var notGiven = []string{"sip_from_port", "sip_from_display", "sip_to_display", "sip_to_port", "sip_subject"}

// variableOrder checks that the variables of §5.7 are there and in their order.
func variableOrder(t *testing.T, create, complete *esl.Event) {
	t.Helper()
	for _, c := range []struct {
		e     *esl.Event
		names []string
	}{{create, createVariables}, {complete, completeVariables}} {
		var names, missing []string
		for _, name := range c.names {
			if position(c.e, "variable_"+name) < 0 && !slices.Contains(notGiven, name) {
				missing = append(missing, name)
			}
			names = append(names, "variable_"+name)
		}
		if len(missing) > 0 {
			t.Errorf("%s lacks the variables %s", label(c.e), strings.Join(missing, " "))
		}
		ordered(t, c.e, names)
	}
}
