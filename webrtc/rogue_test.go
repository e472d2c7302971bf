package webrtc

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/switchlet/switchlet/media"
)

// overheard is a connection of which a shortcut hears the hellos that come.
type overheard struct {
	net.Conn
	keys *shortcut
}

func (c overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.keys.hello(b[:n], true)
	return n, err
}

// answerOf is the answer of a far end that has only ICE, and another's fingerprint.
func answerOf(t *testing.T, agent *ice.Agent) string {
	t.Helper()
	done := make(chan struct{})
	var lines strings.Builder
	must(t, agent.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
			return
		}
		fmt.Fprintf(&lines, "a=candidate:%s\r\n", c.Marshal())
	}))
	must(t, agent.GatherCandidates())
	<-done
	user, password, err := agent.GetLocalUserCredentials()
	must(t, err)
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 127.0.0.1\r\n" +
		"a=mid:0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=setup:active\r\na=fingerprint:sha-256 " +
		strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\r\na=ice-ufrag:" + user + "\r\na=ice-pwd:" + password + "\r\n" + lines.String()
}

// Who sits on the way can shake hands without showing any certificate; DTLS finds
// that out only after the keys were made.
func TestShortcut_HandshakeWithoutCertificate_OpensNothing(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	p, err := newPeer(testNetwork(t))
	must(t, err)
	defer p.wire.Close()
	heard := 0
	p.wire.Receive(func(*media.Packet) { heard++ })
	prefs := testPrefs(t, "opus")
	offer, err := p.offer(ctx, offered(prefs), offerPtime)
	must(t, err)
	ours, err := parseDescription(offer)
	must(t, err)

	agent, err := ice.NewAgentWithOptions(ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}), ice.WithIncludeLoopback(),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled), ice.WithInterfaceFilter(func(name string) bool { return name == "lo" }))
	must(t, err)
	defer agent.Close()
	d, at, a := negotiated(t, answerOf(t, agent), prefs)
	must(t, p.answered(&d.sections[at], &a, d.sections[at].cands))
	for _, c := range ours.sections[0].cands {
		remote, err := ice.UnmarshalCandidate(fmt.Sprintf("1 1 udp %d %s %d typ host", c.priority, c.addr.Addr(), c.addr.Port()))
		must(t, err)
		must(t, agent.AddRemoteCandidate(remote))
	}
	conn, err := agent.Accept(ctx, ours.sections[0].ufrag, ours.sections[0].pwd)
	must(t, err)
	defer conn.Close()

	keys := &shortcut{}
	rogue, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(overheard{conn, keys}), conn.RemoteAddr(), dtls.WithInsecureSkipVerify(true),
		dtls.WithSRTPProtectionProfiles(srtpProfiles...), dtls.WithKeyLogWriter(keys))
	must(t, err)
	defer rogue.Close()
	if rogue.HandshakeContext(ctx) == nil {
		t.Fatal("the handshake succeeded")
	}
	if len(keys.secret) == 0 || !keys.heard || ctx.Err() != nil {
		t.Fatalf("the handshake did not come as far as the keys: %v", ctx.Err())
	}
	c := srtp.Config{Profile: srtp.ProtectionProfile(keys.server.profile)}
	must(t, c.ExtractSessionKeysFromDTLS(keys, true))
	seal, err := srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile)
	must(t, err)
	plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SequenceNumber: 1, SSRC: 9}, Payload: make([]byte, 80)}).Marshal()
	must(t, err)
	packet, err := seal.EncryptRTP(nil, plain, nil)
	must(t, err)
	if p.wire.take(packet, time.Now()) || heard != 0 || p.wire.short.state.Load() != shut {
		t.Errorf("sound of a far end without a certificate was heard: %d packets, state %d", heard, p.wire.short.state.Load())
	}
}

// Without encryption the keys of AES-CM would fit, and what is said would go out in
// the clear: such a hello, which anybody on the way can forge, is not heard.
func TestShortcut_HelloOfAProfileThatWasNotOfferedIsIgnored(t *testing.T) {
	for profile, taken := range map[uint16]bool{1: true, 2: false, 5: false, 6: false, 7: true, 8: false} {
		var s shortcut
		if s.hello(helloRecord(profile), true); s.heard != taken {
			t.Errorf("profile %d: taken %v", profile, s.heard)
		}
	}
}

// pion keeps every source that a report names.
func TestPeer_ReportsOfSourcesWithoutEnd_EndTheConnection(t *testing.T) {
	b, p := connected(t, func(*wire) {})
	b.chat(5)
	deadline := time.After(patience)
	for ssrc := uint32(1000); ; {
		report := &rtcp.ReceiverReport{SSRC: 1}
		for range 20 {
			ssrc++
			report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: ssrc})
		}
		// It fails when the connection has ended.
		_ = b.pc.WriteRTCP([]rtcp.Packet{report})
		select {
		case <-p.failed:
			if n := p.wire.streams.Load(); n > 10*maxStreamsKept {
				t.Errorf("%d streams", n)
			}
			return
		case <-deadline:
			t.Fatalf("the connection stays, with %d streams", p.wire.streams.Load())
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAllowance(t *testing.T) {
	var a allowance
	now := time.Now()
	n := 0
	for range 2 * controlBurst {
		if a.allow(now) {
			n++
		}
	}
	if n != controlBurst {
		t.Errorf("%d at once", n)
	}
	if !a.allow(now.Add(time.Second/controlRate+1)) || a.allow(now.Add(time.Second/controlRate+2)) {
		t.Error("the tokens come back at another rate")
	}
}
