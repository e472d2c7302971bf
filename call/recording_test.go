package call_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/stream"
)

// fileSounds writes recordings into a directory.
type fileSounds struct{ *stream.Opener }

func (s fileSounds) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	if extend {
		return s.Opener.Append(path, rate, channels)
	}
	return s.Opener.Create(path, rate, channels)
}

// studio gives the box a directory for its recordings, and a command "note" that keeps
// what it is called with.
func studio(t *testing.T, b *box) (dir string, notes *[]string) {
	t.Helper()
	dir, notes = t.TempDir(), &[]string{}
	b.sw.Sounds = fileSounds{&stream.Opener{RecordDir: dir}}
	b.sw.AddCommands(call.Command{Name: "note", Run: func(_ context.Context, _ *call.Switch, in *call.Invocation) error {
		*notes = append(*notes, in.Args)
		return nil
	}})
	return dir, notes
}

const beep = "playback tone_stream://%(1000,0,440)"

func TestRecordSession_WhatItsVariablesAskFor(t *testing.T) {
	for _, c := range []struct {
		name    string
		actions []string
		least   int // ms of sound
		most    int
		cause   string // Record-Completion-Cause
		kept    bool
	}{
		{"everything", []string{"answer", "record_session x.wav", "sleep 2000", "stop_record_session x.wav"}, 1900, 2100, "success-maxtime", true},
		{"limit", []string{"answer", "record_session x.wav +1", "sleep 3000"}, 1000, 1000, "success-maxtime", true},
		{"hang-up", []string{"answer", "record_session x.wav", "sleep 2000"}, 1900, 2100, "success-silence", true},
		{"from the answer on", []string{"set RECORD_ANSWER_REQ=true", "pre_answer", "record_session x.wav", "sleep 3000", "answer", "sleep 1000"}, 900, 1100, "success-silence", true},
		{"answered before", []string{"set RECORD_ANSWER_REQ=true", "answer", "record_session x.wav", "sleep 1000"}, 900, 1100, "success-silence", true},
		{"never answered", []string{"set RECORD_ANSWER_REQ=true", "pre_answer", "record_session x.wav", "sleep 1000"}, 0, 0, "empty-file", false},
		{"while bridged", []string{"answer", "record_session x.wav {RECORD_BRIDGE_REQ=true}", "sleep 3000", "bridge phone/answer 500;fail 2500", "sleep 1000"}, 1900, 2100, "success-silence", true},
		{"too short", []string{"set RECORD_MIN_SEC=3", "answer", "record_session x.wav", "sleep 2000"}, 1900, 2100, "input-too-short", false},
		{"long enough", []string{"set RECORD_MIN_SEC=3", "answer", "record_session x.wav", "sleep 4000"}, 3900, 4100, "success-silence", true},
		{"too short, but continued", []string{"set RECORD_MIN_SEC=3", "set RECORD_APPEND=true", "answer", "record_session x.wav", "sleep 1000"}, 900, 1100, "success-silence", true},
		{"nobody speaks", []string{"set RECORD_INITIAL_TIMEOUT_MS=1500", "answer", "record_session x.wav", "sleep 5000"}, 1480, 1520, "no-input-timeout", true},
		{"nobody speaks any more", []string{"set RECORD_FINAL_TIMEOUT_MS=1500", "answer", "record_session x.wav", "sleep 1000", beep, "sleep 5000"}, 3400, 3600, "success-silence", true},
		{"spoken in time", []string{"set RECORD_INITIAL_TIMEOUT_MS=1500", "answer", "record_session x.wav", "sleep 1000", beep, "sleep 2000"}, 3900, 4100, "success-silence", true},
		{"too loud a threshold", []string{"set RECORD_INITIAL_TIMEOUT_MS=1500", "set RECORD_SILENCE_THRESHOLD=30000", "answer", "record_session x.wav", beep, "sleep 5000"}, 1480, 1520, "no-input-timeout", true},
		{"one side, silent", []string{"set RECORD_INITIAL_TIMEOUT_MS=500", "set RECORD_READ_ONLY=true", "answer", "record_session x.wav", beep, "sleep 2000"}, 480, 520, "no-input-timeout", true},
		{"its own variables first", []string{"set RECORD_MIN_SEC=3", "answer", "record_session x.wav {RECORD_MIN_SEC=1,who=me}", "sleep 2000"}, 1900, 2100, "success-silence", true},
		{"again ends it", []string{"set RECORD_TOGGLE_ON_REPEAT=true", "answer", "record_session x.wav", "sleep 1000", "record_session x.wav", "sleep 2000"}, 900, 1100, "success-maxtime", true},
		{"again does nothing", []string{"answer", "record_session x.wav", "sleep 1000", "record_session x.wav", "sleep 2000"}, 2900, 3100, "success-silence", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				dir, _ := studio(t, b)
				b.run("a", c.actions...)
				b.after(20 * time.Second)
				e := b.event("a", "RECORD_STOP")
				ms, _ := strconv.Atoi(e.Get("variable_record_ms"))
				if ms < c.least || ms > c.most || e.Get("Record-Completion-Cause") != c.cause {
					t.Errorf("%d ms, %q; want %d to %d, %q", ms, e.Get("Record-Completion-Cause"), c.least, c.most, c.cause)
				}
				info, err := os.Stat(filepath.Join(dir, "x.wav"))
				if (err == nil) != c.kept || (e.Get("variable_RECORD_DISCARDED") == "true") == c.kept {
					t.Errorf("the file: %v; RECORD_DISCARDED %q", err, e.Get("variable_RECORD_DISCARDED"))
				}
				if err == nil && info.Size() < int64(ms)*16 {
					t.Errorf("%d ms in %d bytes", ms, info.Size())
				}
				if own := e.Get("Recording-Variable-who"); (own == "me") != strings.Contains(c.name, "own variables") {
					t.Errorf("Recording-Variable-who is %q", own)
				}
			})
		})
	}
}

func TestRecordSession_HooksAndWhatComesAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		_, notes := studio(t, b)
		a := b.run("a", "sleep 100", "answer", "record_session x.wav {execute_on_record_stop=set own=1}", "sleep 1000", "stop_record_session x.wav", "sleep 100")
		for name, value := range map[string]string{"execute_on_record_start": "set started=yes", "execute_on_record_stop_1": "set stopped=${record_ms}",
			"api_on_record_start": "note begin", "api_on_record_stop": "note end ${record_ms}",
			"record_post_process_exec_app": "set:processed=${record_samples}", "record_post_process_exec_api": "note:file ${record_completion_cause}"} {
			a.Set(name, value)
		}
		b.after(5 * time.Second)
		want(t, a, "started", "yes")
		ms, _ := strconv.Atoi(a.Get("stopped"))
		if ms < 980 || ms > 1020 {
			t.Errorf("execute_on_record_stop saw %d ms", ms)
		}
		want(t, a, "own", "1")
		want(t, a, "processed", strconv.Itoa(ms*8))
		if got := strings.Join(*notes, "; "); got != "begin; end "+a.Get("stopped")+"; file success-maxtime" {
			t.Errorf("commands: %s", got)
		}
	})
}

func TestRecordSession_HangupEndsIt_TheFileIsStillProcessed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		_, notes := studio(t, b)
		a := b.run("a", "sleep 100", "answer", "record_session x.wav", "sleep 1000")
		a.Set("record_post_process_exec_api", "note:${record_samples} samples")
		b.after(5 * time.Second)
		if got := strings.Join(*notes, "; "); got != a.Get("record_samples")+" samples" || len(got) < 12 {
			t.Errorf("commands: %s", got)
		}
	})
}

func TestRecordSession_FileThatCannotBe_HangupOnError(t *testing.T) {
	for value, cause := range map[string]call.Cause{"true": call.CauseDestinationOutOfOrder, "false": call.CauseNormalClearing} {
		inBubble(t, func(t *testing.T, b *box) {
			studio(t, b)
			a := b.run("a", "set RECORD_HANGUP_ON_ERROR="+value, "answer", "record_session x.nosuch", "sleep 1000")
			b.after(5 * time.Second)
			if a.Cause() != cause {
				t.Errorf("RECORD_HANGUP_ON_ERROR=%s: %s, want %s", value, a.Cause(), cause)
			}
			want(t, a, "record_completion_cause", "uri-failure")
		})
	}
}

func TestRecordSession_EmptyContinuationKeepsTheFile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		dir, _ := studio(t, b)
		b.run("a", "set RECORD_APPEND=true", "answer", "record_session x.wav", "sleep 1000", "stop_record_session x.wav",
			"record_session x.wav {RECORD_BRIDGE_REQ=true}", "sleep 1000")
		b.after(5 * time.Second)
		if info, err := os.Stat(filepath.Join(dir, "x.wav")); err != nil || info.Size() < 16000 {
			t.Errorf("the first recording is gone: %v", err)
		}
	})
}

func TestRecord_TitleIsInTheFile_AndForOneRecording(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		dir, _ := studio(t, b)
		a := b.run("a", "answer", "set RECORD_TITLE=Call of Ann", "record_session x.wav", "sleep 100", "stop_record_session x.wav",
			"set RECORD_TITLE=Another", "record y.wav 1", "record_session z.wav", "sleep 100")
		b.after(5 * time.Second)
		want(t, a, "RECORD_TITLE", "")
		for name, title := range map[string]string{"x.wav": "INAM\x0c\x00\x00\x00Call of Ann\x00", "y.wav": "INAM\x08\x00\x00\x00Another\x00", "z.wav": ""} {
			whole, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || title != "" && !bytes.Contains(whole, []byte(title)) || title == "" && bytes.Contains(whole, []byte("INAM")) {
				t.Errorf("%s: %v, no %q in %q", name, err, title, whole[:min(len(whole), 100)])
			}
		}
	})
}

func TestRecordSession_CheckBridge_ThePartnerRecordsAlready(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		studio(t, b)
		a := b.run("a", "record_session x.wav", "bridge phone/answer 100")
		b.after(time.Second)
		peer := b.channel("b")
		if err := peer.StartRecording("x.wav", 0, []call.Var{{Name: "RECORD_CHECK_BRIDGE", Value: "true"}}); err != nil {
			t.Fatal(err)
		}
		if got := peer.Recordings(); len(got) != 0 {
			t.Errorf("the B leg records %v", got)
		}
		a.Set("RECORD_TOGGLE_ON_REPEAT", "true")
		if err := peer.StartRecording("x.wav", 0, []call.Var{{Name: "RECORD_CHECK_BRIDGE", Value: "true"}}); err != nil {
			t.Fatal(err)
		}
		if got := a.Recordings(); len(got) != 0 {
			t.Errorf("the A leg still records %v", got)
		}
		a.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
	})
}

// TestHandOverRecordings_FileGoesOnWithTheOtherLeg ends the leg that began the recording:
// the file goes on, and the leg that has it tells of its end, once.
func TestHandOverRecordings_FileGoesOnWithTheOtherLeg(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		studio(t, b)
		b.extension("waiting", "park")
		a := b.run("a", "answer", "record_session x.wav", "bridge phone/answer 100")
		b.after(time.Second)
		peer := b.channel("b")
		a.HandOverRecordings(peer)
		if err := peer.Transfer("waiting", "", ""); err != nil {
			t.Fatal(err)
		}
		b.after(2 * time.Second)
		if got := peer.Recordings(); len(got) != 1 || a.Up() {
			t.Fatalf("the B leg records %v, the A leg is up: %v", got, a.Up())
		}
		peer.Hangup(call.CauseNormalClearing)
		b.after(time.Second)
		stops := 0
		for _, l := range b.events {
			if l.text == "RECORD_STOP" {
				stops++
				if ms, _ := strconv.Atoi(l.ev.Get("variable_record_ms")); l.leg != "b" || ms < 2900 || ms > 3100 {
					t.Errorf("leg %s tells of %d ms", l.leg, ms)
				}
			}
		}
		if stops != 1 {
			t.Errorf("RECORD_STOP came %d times", stops)
		}
		if err := a.StartRecording("y.wav", 0, nil); err != call.ErrHungup {
			t.Errorf("a recording of an ended call: %v", err)
		}
	})
}

// TestAttendedTransfer_RecordingFollows records the call of the customer through the
// consultation and the call with the new agent into one file.
func TestAttendedTransfer_RecordingFollows(t *testing.T) {
	for _, follow := range []string{"true", "false"} {
		t.Run(follow, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				studio(t, b)
				customer := b.run("a", "record_session x.wav", "export nolocal:recording_follow_attxfer="+follow, "bridge phone/answer 100")
				b.after(time.Second)
				agent := b.channel("b")
				if err := agent.PostExecute("att_xfer", "phone/answer 100", false); err != nil {
					t.Fatal(err)
				}
				b.after(time.Second)
				second := b.channel("c")
				recorder := func() string {
					for name, ch := range map[string]*call.Channel{"customer": customer, "agent": agent, "second": second} {
						if len(ch.Recordings()) > 0 {
							return name
						}
					}
					return "nobody"
				}
				wanted := map[bool]string{true: "agent", false: "customer"}[follow == "true"]
				if got := recorder(); got != wanted {
					t.Errorf("%s records the consultation, want %s", got, wanted)
				}
				agent.Hangup(call.CauseNormalClearing)
				b.after(time.Second)
				wanted = map[bool]string{true: "second", false: "customer"}[follow == "true"]
				if got := recorder(); got != wanted || second.Partner() != customer {
					t.Errorf("%s records in the end, want %s; the partner is %v", got, wanted, second.Partner())
				}
				customer.Hangup(call.CauseNormalClearing)
				b.after(time.Second)
				if n := strings.Count(strings.Join(append(append(b.of("a"), b.of("b")...), b.of("c")...), " "), "RECORD_STOP"); n != 1 {
					t.Errorf("RECORD_STOP came %d times", n)
				}
			})
		})
	}
}
