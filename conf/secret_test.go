package conf

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	// Names and values of FreeSWITCH's stock configuration come first in both lists.
	for _, p := range [][2]string{
		{"password", "ClueCon"}, {"vm-password", "1000"}, {"psk", "ClueCon"}, {"pass", "test"}, {"pin", "12345"}, {"moderator-pin", "54321"},
		{"g-pass", "ONE_PASS"}, {"cred", "user:pass"}, {"gateway-credentials", "muser:mypass"}, {"odbc-dsn", "dsn:user:pass"}, {"db-dsn", "easyroute"},
		{"core-db-dsn", "mariadb://Server=localhost;Uid=freeswitch;Pwd=pass;"}, {"ssl-key-password", "MyPrivateKeyPassword"}, {"whitepages-apikey", "MYAPIKEY"},
		{"url", "http://query.voipcnam.com/query.php?api_key=MYAPIKEY&number=1"}, {"auth-pass", "works"}, {"tls-passphrase", "open"},
		{"reverse-auth-pass", "x"}, {"jsonrpc-password", "x"}, {"a1-hash", "0123456789abcdef"}, {"db-info", "host=localhost user=u password='x'"},
		{"dbPassword", "x"}, {"apiKey", "xy"}, {"APIKey", "xy"}, {"api_key", "xy"}, {"aws_access_key", "xy"}, {"userpass", "x"}, {"DB_PASS", "x"}, {"pass_2", "x"}, {"auth-pass-2", "x"},
		{"pass-phrase", "x"}, {"passwordfile2", "x"}, {"bearer.token", "x"}, {"secret-thing", "hidden"}, {"adminpin", "1"}, {"pin", "1"}, {"password", "true"},
		{"allow-password", "letmein"}, {"allow-pin", "1"}, {"private-key", "xy"}, {"a1hash", "x"},
		{"gateway-url", "https://me:x@localhost/conf"}, {"post-url", "https://x@localhost"}, {"dial-string", "{sip_auth_password=x}sofia/gateway/g/1"}, {"settings", "Token = x"},
	} {
		if got := shown(p[0], p[1]); got != withheld {
			t.Errorf("%s=%s is shown: %s", p[0], p[1], got)
		}
	}
	for _, p := range [][2]string{
		{"inbound-bypass-media", "true"}, {"pass-rfc2833", "true"}, {"pass-callee-id", "false"}, {"pin-sound", "conference/conf-pin.wav"}, {"bad-pin-sound", "a.wav"},
		{"pin-retries", "3"}, {"tipping-point", "0"}, {"ping", "25"}, {"nat-options-ping", "true"}, {"NDLB-broken-auth-hash", "true"}, {"rtp-retain-crypto-keys", "true"},
		{"rc-2pass-vbr-bias-pct", "50"}, {"key-frame-min-freq", "250"}, {"keyint-min", "25"}, {"binding_key", "commandBindingKey"}, {"ssl-key-path", "/certs/private_key.pem"},
		{"token-parts", "cpu/2/3"}, {"skinny-soft-key-set-set", "default"}, {"login-keys", "0"}, {"terminator-key", "#"}, {"operator-key", ""}, {"change-pass-key", "6"}, {"password-mask", "XXXXXXXXXX"}, {"change-pass-key-sound", "x"},
		{"db-password-override", "false"}, {"db-spin-up-wait-ms", "1000"}, {"auth-scheme", "basic"}, {"auth-user", "freeswitch"}, {"log-auth-failures", "false"},
		{"shutdown-on-fail", "true"}, {"media-option", "bypass-media-after-att-xfer"}, {"presence-hosts", "$${domain}"}, {"dial-string", "{presence_id=1000@d}${sofia_contact(*/1000@d)}"},
		{"allow-empty-password", "true"}, {"send-auth-password", "yes"}, {"caller-controls", "default"}, {"mapping", "x"}, {"shipping", "x"}, {"", "x"}, {"email-from", "a@b"},
		{"url", "http://localhost/a?number=1"}, {"sip", "sip:1000@localhost"}, {"keyboard", "x"}, {"hashing", "x"},
	} {
		if got := shown(p[0], p[1]); got != p[1] {
			t.Errorf("%s=%s is withheld", p[0], p[1])
		}
	}
}

func TestNameWords(t *testing.T) {
	for name, want := range map[string]string{"": "", "--": "", "api_key": "api key", "apiKey": "api key", "APIKey": "api key", "API": "api", "DB_PASS": "db pass",
		"a1-hash": "a 1 hash", "rc-2pass-x": "rc 2 pass x", "Password": "password", "-x": "x", "aB": "a b", "AbC9": "ab c 9", "é-pin": "pin"} {
		if got := strings.Join(nameWords(name), " "); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Of a whole configuration nothing that is said of its parameters brings a secret, and
// nothing that is ordinary is withheld.
func TestShown_OfAWholeConfiguration(t *testing.T) {
	for _, tt := range []struct {
		name     string
		tree     func(t *testing.T) *Tree
		withheld []string
	}{
		{"built in", func(t *testing.T) *Tree { return loadDefault(t, Options{}) }, []string{"password", "vm-password"}},
		{"stock", loadStock, []string{"auth-pass", "db-dsn", "db-password", "odbc-dsn",
			"pass", "password", "url", "vm-password", "whitepages-apikey"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := tt.tree(t)
			var got []string
			n := 0
			var look func(*Node)
			look = func(node *Node) {
				if name := node.Attr("name"); node.Name == "param" {
					n++
					if value := node.Attr("value"); value != "" && shown(name, value) != value {
						got = append(got, strings.ToLower(name))
					}
				}
				for _, child := range node.Children {
					look(child)
				}
			}
			for _, section := range []string{"configuration", "directory", "dialplan", "languages", "chatplan"} {
				if s := tree.Section(section); s != nil {
					look(s)
				}
			}
			slices.Sort(got)
			if got = slices.Compact(got); n < 200 || !slices.Equal(got, tt.withheld) {
				t.Errorf("of %d parameters these are withheld:\n%s\nwant\n%s", n, strings.Join(got, " "), strings.Join(tt.withheld, " "))
			}
		})
	}
}

func loadStock(t *testing.T) *Tree {
	dir := os.Getenv("SWITCHLET_FS_CONF")
	if _, err := os.Stat(filepath.Join(dir, "freeswitch.xml")); dir == "" || err != nil {
		t.Skip("SWITCHLET_FS_CONF does not say where FreeSWITCH's stock configuration is")
	}
	tree, err := Load(context.Background(), Options{Base: os.DirFS(dir), Globals: builtIn()})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
