package appliance

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/codec/opus"
	"github.com/switchlet/switchlet/media/dtmf"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/stream"
)

// newEngine puts the media engine together from its sub-rooms.
func newEngine(log *call.Log, tree *conf.Tree) *media.Engine {
	return media.NewEngine(media.EngineOptions{
		Log:    slog.New(engineLog{log: log}),
		Codecs: codec.TableWith(opusOptions(tree)),
		NewResampler: func(from, to int) media.Resampler {
			r, err := resample.New(from, to)
			if err != nil {
				return nil
			}
			return r
		},
		NewDetector: func(rate int) media.Detector {
			d, err := dtmf.NewDetector(rate)
			if err != nil {
				return nil
			}
			return &inbandDetector{d: d}
		},
		NewTone: func(d media.Digit, rate int) media.Source {
			g, err := dtmf.NewGenerator(rate)
			if err != nil {
				return nil
			}
			g.Add(dtmf.Step{Digit: d})
			return g
		},
	})
}

// maxRedirects bounds how often a download is sent elsewhere.
const maxRedirects = 5

// downloads fetches the sounds that are named by http:// or https://. Addresses of this
// link only are not asked: there clouds keep the secrets of their machines.
func downloads() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Unmap().IsLinkLocalUnicast() {
			return fmt.Errorf("%s is an address of this link only", a.Addr())
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, DisableKeepAlives: true, MaxConnsPerHost: 8},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("sent elsewhere too often")
			}
			return nil
		},
	}
}

// inbandDetector adapts dtmf.Detector to what the media engine asks for.
type inbandDetector struct {
	d     *dtmf.Detector
	found []media.Digit
}

// Process implements media.Detector.
func (i *inbandDetector) Process(pcm []int16, emit func(media.Digit)) {
	i.found = i.d.Detect(pcm, i.found[:0])
	for _, digit := range i.found {
		emit(digit)
	}
}

// sounds adapts stream.Opener to what the Switch asks for.
type sounds struct{ *stream.Opener }

// Create implements call.Sounds.
func (s sounds) Create(path string, rate, channels int, extend bool) (media.Sink, error) {
	if extend {
		return s.Opener.Append(path, rate, channels)
	}
	return s.Opener.Create(path, rate, channels)
}

// localStreams reads local_stream.conf.
func localStreams(tree *conf.Tree) map[string]stream.LocalStream {
	out := map[string]stream.LocalStream{}
	within := func(score int) int { // what is out of bounds is off
		if score < 0 || score > stream.MaxAutoVolume {
			return 0
		}
		return score
	}
	for _, n := range tree.Configuration("local_stream.conf").ChildrenNamed("directory") {
		p := conf.Params(n)
		s := stream.LocalStream{
			Path: n.Attr("path"), Shuffle: p.Bool("shuffle", false), Volume: min(max(p.Int("volume", 0), -50), 50),
			AutoVolume: within(p.Int("auto-volume", 0)), AutoLow: within(p.Int("auto-volume-low-point", 0)),
			ChimeEvery: time.Duration(min(max(p.Int("chime-freq", 30), 1), 86400)) * time.Second,
			ChimeMax:   time.Duration(min(max(p.Int("chime-max", 0), 0), 3600)) * time.Second,
		}
		for name := range strings.SplitSeq(p.Get("chime-list"), ",") {
			if name = strings.TrimSpace(name); name != "" {
				s.Chimes = append(s.Chimes, name)
			}
		}
		out[n.Attr("name")] = s
	}
	return out
}

// opusOptions reads opus.conf. Its complexity is an upper bound: what costs more than
// the default gains nothing that was measured, and narrow sound even less.
func opusOptions(tree *conf.Tree) opus.Options {
	p := conf.Params(tree.Configuration("opus.conf"))
	within := func(name string, low, high int) int {
		if n := p.Int(name, 0); n >= low && n <= high {
			return n
		}
		return 0
	}
	o := opus.Options{
		Bitrate:         within("maxaveragebitrate", 6000, 510000),
		PacketLoss:      within("packet-loss-percent", 1, 100),
		KeepFEC:         p.Bool("keep-fec-enabled", false),
		NoFEC:           !p.Bool("advertise-useinbandfec", true),
		DTX:             p.Bool("use-dtx", false),
		CBR:             !p.Bool("use-vbr", true),
		AdjustBitrate:   p.Bool("adjust-bitrate", false),
		MaxPlaybackRate: opusRate(p.Int("maxplaybackrate", 0)),
		MaxCaptureRate:  opusRate(p.Int("sprop-maxcapturerate", 0)),
	}
	if n := within("complexity", 1, 10); n > 0 {
		o.MaxComplexity = n + 1
	}
	return o
}

// opusRate is rate if Opus has it, else 0.
func opusRate(rate int) int {
	if slices.Contains(opus.Rates(), rate) {
		return rate
	}
	return 0
}
