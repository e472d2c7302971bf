package commands

import (
	"context"
	"strings"
	"testing"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/media/stream"
)

func TestLocalStream_Replies(t *testing.T) {
	conf := map[string]stream.LocalStream{"moh": {Path: "/music <8>", Shuffle: true}, "new": {Path: "/new"}}
	d := Deps{
		Streams:     &stream.Opener{LocalStreams: map[string]stream.LocalStream{"moh": conf["moh"], "default": {Path: "/d"}}},
		LocalStream: func(name string) (stream.LocalStream, bool) { c, ok := conf[name]; return c, ok },
	}
	command := localStreams(d)[0]
	const usage = "-USAGE: " + localStreamSyntax + "\n"
	const missing = "-ERR Cannot locate local_stream nosuch!\n"
	for _, c := range []struct{ args, want string }{
		{"", usage}, {"start", usage}, {"sing moh", usage}, {"vol moh x", usage}, {"start nosuch", usage},
		{"show", "default,/d\nmoh,/music <8>\n+OK"}, {"show as xml", "default,/d\nmoh,/music <8>\n+OK"},
		{"show nosuch", missing}, {"stop nosuch", missing}, {"reload nosuch", missing}, {"hup nosuch", missing}, {"vol nosuch 3", missing},
		{"reload default", "-ERR Cannot locate local_stream default!\n"}, // it left the configuration
		{"vol moh", "+OK vol stream: moh is 0"}, {"vol moh auto:3000:200", "+OK Auto-Volume stream: moh is 3000/200"}, {"vol moh", "+OK Auto-Volume stream: moh is 3000/200"},
		{"vol moh auto:20001", "-ERR invalid auto-volume level for stream: moh\n"}, {"vol moh auto:", "-ERR invalid auto-volume level for stream: moh\n"},
		{"vol moh auto:1:-1", "-ERR invalid auto-volume low-energy level for stream: moh\n"}, {"vol nosuch", missing}, {"vol nosuch auto:7", missing},
		{"vol moh -7", "+OK vol stream: moh is -7"}, {"hup moh", "+OK hup stream: moh"}, {"stop moh", "+OK"},
		{"show moh", "moh\n  location: /music <8>\n  channels: 1\n  volume:   -7\n  chimes:   0\n  shuffle:  true\n  ready:    false\n  stopped:  true\n+OK"},
		{"start moh", "+OK stream: moh"}, {"reload moh", "+OK"}, {"start new", "+OK stream: new"},
		{"show", "default,/d\nmoh,/music <8>\nnew,/new\n+OK"},
		{"show moh xml", `<?xml version="1.0"?>
<local_stream name="moh">
  <location>/music &lt;8&gt;</location>
  <channels>1</channels>
  <volume>0</volume>
  <chimes>0</chimes>
  <shuffle>true</shuffle>
  <ready>false</ready>
  <stopped>false</stopped>
</local_stream>
+OK`},
	} {
		var out strings.Builder
		if err := command.Run(context.Background(), nil, &call.Invocation{Args: c.args, Out: &out}); err != nil || out.String() != c.want {
			t.Errorf("%s\n got %q, %v\nwant %q", c.args, out.String(), err, c.want)
		}
	}
}
