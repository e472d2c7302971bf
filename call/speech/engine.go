package speech

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/switchlet/switchlet/conf"
	"github.com/switchlet/switchlet/media"
)

// request is one text to be spoken.
type request struct {
	engine, voice, text string
	rate                int // of the call, Hz
}

// key is the name under which speech is kept.
func (r request) key(identity string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{identity, r.voice, strconv.Itoa(r.rate), r.text}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// values are what stands for the words in braces in the lines of the
// configuration, each made safe by quote for the place that it comes to.
func (r request) values(file string, quote func(string) string) *strings.Replacer {
	return strings.NewReplacer("${text}", quote(r.text), "${voice}", quote(r.voice),
		"${rate}", strconv.Itoa(r.rate), "${file}", quote(file))
}

// engine is one way to make speech.
type engine interface {
	// identity is what the configuration says of it: when that changes, what was
	// made before is not used any more.
	identity() string
	// speak makes a file called base with an extension, and returns its name.
	speak(ctx context.Context, r request, base string) (string, error)
}

// commandline is the name of the engine of tts_commandline.conf.
const commandline = "tts_commandline"

// absentError says that an engine which is configured cannot be run here.
type absentError string

func (e absentError) Error() string { return string(e) }

// engine finds an engine in the configuration.
func (s *Speech) engine(name string) (engine, error) {
	tree := s.o.Store.Tree()
	if strings.EqualFold(name, commandline) {
		command := conf.Params(tree.Configuration("tts_commandline.conf").Child("settings")).Get("command")
		switch {
		case command == "":
			return nil, message("No command set, please edit tts_commandline.conf")
		case !s.o.AllowShell:
			return nil, absentError("its command needs a shell: set allow_shell=true")
		}
		return shellEngine{command}, nil
	}
	for _, n := range tree.Configuration("tts.conf").Child("engines").ChildrenNamed("engine") {
		if !strings.EqualFold(n.Attr("name"), name) {
			continue
		}
		if program := n.Attr("program"); program != "" {
			path, err := exec.LookPath(program)
			if err != nil {
				return nil, absentError("the program " + program + " is not installed")
			}
			return programEngine{path, n.Attr("args")}, nil
		}
		return s.address(n)
	}
	return nil, errors.New("there is no such engine in tts.conf")
}

// address reads an engine that is an address.
func (s *Speech) address(n *conf.Node) (engine, error) {
	e := addressEngine{client: s.o.HTTP, url: n.Attr("url")}
	if !strings.HasPrefix(e.url, "http://") && !strings.HasPrefix(e.url, "https://") {
		return nil, errors.New("the engine in tts.conf has neither program nor url")
	}
	for _, h := range n.ChildrenNamed("header") {
		e.headers = append(e.headers, [2]string{h.Attr("name"), h.Attr("value")})
	}
	if b := n.Child("body"); b != nil {
		e.body, e.kind = strings.TrimSpace(b.Text), b.Attr("type")
	}
	return e, nil
}

// programEngine is a program with its arguments. The text is one of them, or comes
// on the standard input if none asks for it.
type programEngine struct{ path, args string }

func (e programEngine) identity() string { return e.path + "\x00" + e.args }

func (e programEngine) speak(ctx context.Context, r request, base string) (string, error) {
	file := base + ".wav"
	plain := r.values(file, func(s string) string { return s })
	args := strings.Fields(e.args)
	for i := range args {
		args[i] = plain.Replace(args[i])
	}
	cmd := exec.CommandContext(ctx, e.path, args...)
	if !strings.Contains(e.args, "${text}") {
		cmd.Stdin = strings.NewReader(r.text + "\n")
	}
	return file, run(cmd, file)
}

// shellEngine is the command line of tts_commandline.conf.
type shellEngine struct{ command string }

func (e shellEngine) identity() string { return "sh\x00" + e.command }

func (e shellEngine) speak(ctx context.Context, r request, base string) (string, error) {
	file := base + ".wav"
	return file, run(exec.CommandContext(ctx, "/bin/sh", "-c", r.values(file, shellQuote).Replace(e.command)), file)
}

// shellQuote is a text as one word of the shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// run runs a program that makes a file, all of it: what it has started ends with
// it.
func run(cmd *exec.Cmd, file string) error {
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	asGroup(cmd)
	err := cmd.Run()
	if err == nil {
		err = usable(file)
	}
	if err != nil {
		_ = os.Remove(file)
		if text := said.String(); text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return err
}

// usable reports what is wrong with a file that an engine has made.
func usable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return errors.New("no sound file was made")
	case !info.Mode().IsRegular() || info.Size() == 0:
		return errors.New("the sound file is empty")
	case info.Size() > maxSound:
		return fmt.Errorf("a sound file of %d bytes, at most %d are taken", info.Size(), maxSound)
	}
	return nil
}

// tail keeps the end of what a program says.
type tail struct{ text []byte }

const maxSaid = 300

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if extra := len(t.text) - maxSaid; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(strings.Join(strings.Fields(string(t.text)), " "), "")
}

// addressEngine is an address that answers with sound: to GET, or to POST if the
// configuration has a body.
type addressEngine struct {
	client     *http.Client
	url        string
	headers    [][2]string
	body, kind string
}

func (e addressEngine) identity() string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%v", e.url, e.body, e.kind, e.headers)
}

func (e addressEngine) speak(ctx context.Context, r request, base string) (string, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if e.body != "" {
		quote := func(s string) string { return s }
		switch {
		case strings.Contains(e.kind, "json"):
			quote = jsonQuote
		case strings.Contains(e.kind, "urlencoded"):
			quote = url.QueryEscape
		case strings.Contains(e.kind, "xml"):
			quote = xmlQuote
		}
		method, body = http.MethodPost, strings.NewReader(r.values("", quote).Replace(e.body))
	}
	q, err := http.NewRequestWithContext(ctx, method, r.values("", url.QueryEscape).Replace(e.url), body)
	if err != nil {
		return "", err
	}
	if e.kind != "" {
		q.Header.Set("Content-Type", e.kind)
	}
	for _, h := range e.headers {
		q.Header.Set(h[0], h[1])
	}
	answer, err := e.client.Do(q)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the rest repeats the address, with the text in it
		}
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", errors.New("the server says " + answer.Status)
	}
	sound, err := io.ReadAll(io.LimitReader(answer.Body, maxSound+1))
	if err != nil {
		return "", err
	}
	file := base + extension(answer.Header.Get("Content-Type"), sound)
	if err := os.WriteFile(file, sound, 0o600); err != nil {
		return "", err
	}
	if err := usable(file); err != nil {
		_ = os.Remove(file)
		return "", err
	}
	return file, nil
}

// extension tells what kind of sound an answer is.
func extension(contentType string, sound []byte) string {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case bytes.HasPrefix(sound, []byte("RIFF")):
		return ".wav"
	case bytes.HasPrefix(sound, []byte("OggS")):
		return ".ogg"
	case bytes.HasPrefix(sound, []byte("ID3")), kind == "audio/mpeg", kind == "audio/mp3":
		return ".mp3"
	}
	return ".wav"
}

func jsonQuote(s string) string {
	b, err := json.Marshal(s)
	if err != nil || len(b) < 2 {
		return ""
	}
	return string(b[1 : len(b)-1])
}

func xmlQuote(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(s)
}

// stopAt makes an option of a playback of a judge of digits.
func stopAt(stop func(media.Digit) bool) func(*media.Playback, media.Digit) bool {
	return func(_ *media.Playback, d media.Digit) bool { return stop(d) }
}
