package appliance

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/switchlet/switchlet/conf"
)

// data is the data directory of a box.
type data struct{ dir string }

// subdirectories of the data directory.
var subdirectories = []string{"conf", "scripts", "sounds", "recordings", "db", "storage", "certs", "log", "cache", "run"}

func openData(dir string) (data, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return data{}, err
	}
	for _, sub := range subdirectories {
		if err := os.MkdirAll(filepath.Join(abs, sub), 0o750); err != nil {
			return data{}, fmt.Errorf("data directory: %w", err)
		}
	}
	return data{abs}, nil
}

func (d data) path(elem ...string) string { return filepath.Join(append([]string{d.dir}, elem...)...) }

// Secrets are made at the first start.
type Secrets struct {
	DefaultPassword     string `json:"default_password"`      // of the users 1000 to 1019
	EventSocketPassword string `json:"event_socket_password"` // of the event socket
}

// secretAlphabet has no letters that are taken for others when read aloud, and
// nothing that XML or shells would misread.
const secretAlphabet = "abcdefghjkmnpqrstuvwxyz23456789"

func newSecret(length int) string {
	out := make([]byte, length)
	for i := range out {
		var b [1]byte
		for {
			rand.Read(b[:])
			if int(b[0]) < 256/len(secretAlphabet)*len(secretAlphabet) {
				break
			}
		}
		out[i] = secretAlphabet[int(b[0])%len(secretAlphabet)]
	}
	return string(out)
}

// secretsFile is where the secrets are kept.
func (d data) secretsFile() string { return d.path("secrets.json") }

// secrets reads the secrets, or makes them; fresh tells which.
func (d data) secrets() (s Secrets, fresh bool, err error) {
	file := d.secretsFile()
	text, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(text, &s); err != nil {
			return s, false, fmt.Errorf("%s: %w; mend it, or remove it to have new secrets made", file, err)
		}
		return s, false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return s, false, err
	}
	s = Secrets{DefaultPassword: newSecret(12), EventSocketPassword: newSecret(20)}
	text, err = json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, false, err
	}
	return s, true, os.WriteFile(file, append(text, '\n'), 0o600)
}

// localAddress is the address that this machine uses towards the outside; no
// packet is sent to find it.
func localAddress(network, probe, otherwise string) string {
	c, err := net.Dial(network, probe)
	if err != nil {
		return otherwise
	}
	defer c.Close()
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return a.IP.String()
	}
	return otherwise
}

// globals are the built-in global variables (spec/config.md §3).
func (d data) globals(confDir, hostname string) []conf.Pair {
	pairs := []conf.Pair{
		{Name: "hostname", Value: hostname},
		{Name: "local_ip_v4", Value: localAddress("udp4", "192.0.2.1:9", "127.0.0.1")},
		{Name: "local_mask_v4", Value: "255.255.255.0"},
		{Name: "local_ip_v6", Value: localAddress("udp6", "[2001:db8::1]:9", "::1")},
		{Name: "base_dir", Value: d.dir},
		{Name: "data_dir", Value: d.dir},
		{Name: "localstate_dir", Value: d.dir},
		{Name: "conf_dir", Value: confDir},
		{Name: "temp_dir", Value: os.TempDir()},
	}
	for _, p := range [][2]string{{"log_dir", "log"}, {"run_dir", "run"}, {"db_dir", "db"}, {"mod_dir", "mod"},
		{"htdocs_dir", "htdocs"}, {"script_dir", "scripts"}, {"grammar_dir", "grammar"}, {"fonts_dir", "fonts"},
		{"images_dir", "images"}, {"certs_dir", "certs"}, {"recordings_dir", "recordings"}, {"sounds_dir", "sounds"},
		{"storage_dir", "storage"}, {"cache_dir", "cache"}, {"sound_prefix", "sounds"}} {
		pairs = append(pairs, conf.Pair{Name: p[0], Value: d.path(p[1])})
	}
	return pairs
}

// portGlobals are the global variables of conf/default that hold a port, with
// their values there.
var portGlobals = []struct {
	name string
	port int
}{
	{"internal_sip_port", 5060}, {"external_sip_port", 5080}, {"internal_tls_port", 5061}, {"external_tls_port", 5081},
	{"event_socket_port", 8021}, {"verto_ws_port", 8081}, {"verto_wss_port", 8082}, {"http_port", 8080},
	{"https_port", 8443}, {"acme_http_port", 80}, {"acme_https_port", 443}, {"webrtc_port", 10000}, {"rtp_start_port", 16384}, {"rtp_end_port", 32768},
}

// offsetPorts are the port variables moved by n.
func offsetPorts(n int) []conf.Pair {
	var out []conf.Pair
	if n == 0 {
		return nil
	}
	for _, p := range portGlobals {
		out = append(out, conf.Pair{Name: p.name, Value: strconv.Itoa(p.port + n)})
	}
	return out
}
