package appliance

import (
	"log/slog"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
	"github.com/switchlet/switchlet/media/codec"
	"github.com/switchlet/switchlet/media/dtmf"
	"github.com/switchlet/switchlet/media/resample"
	"github.com/switchlet/switchlet/media/stream"
)

// newEngine puts the media engine together from its sub-rooms.
func newEngine(log *call.Log) *media.Engine {
	return media.NewEngine(media.EngineOptions{
		Log:    slog.New(engineLog{log: log}),
		Codecs: codec.Table(),
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
	for _, n := range tree.Configuration("local_stream.conf").ChildrenNamed("directory") {
		p := conf.Params(n)
		out[n.Attr("name")] = stream.LocalStream{Path: n.Attr("path"), Shuffle: p.Bool("shuffle", false)}
	}
	return out
}
