package conf

import (
	"regexp"
	"slices"
	"strings"
)

// withheld stands where a value may be a secret.
const withheld = "…"

// shown is the value of a parameter as a warning may print it: withheld where the
// name or the value says that it may be a secret. In doubt it is withheld.
func shown(name, value string) string {
	if secretIn.MatchString(value) || secretName(name, value) {
		return withheld
	}
	return value
}

// secretIn finds values that bring a secret whatever their parameter is called: addresses
// with a user in them, and lists of name=value.
var secretIn = regexp.MustCompile(`(?i)://[^/?#\s]*@|(pass|passwd|password|passphrase|pwd|pin|secret|token|credentials?|key|auth)\s*=`)

var (
	// secretWords are what secrets are called, at the end of a word too (dbpass).
	secretWords = [...]string{"password", "passwords", "passwd", "passphrase", "passcode", "pass", "pwd", "pin", "pins", "secret", "secrets",
		"credential", "credentials", "cred", "creds", "hash", "dsn", "token", "tokens", "psk", "key", "keys"}
	// secretParts make a word a secret wherever they stand in it.
	secretParts = [...]string{"passw", "passphrase", "secret", "credential", "apikey"}
	// harmless are words that end like a secret and are none.
	harmless = [...]string{"bypass", "compass", "multipass", "spin", "hotkey", "softkey"}
	// aspects of a secret, at the end of a name, are no secret themselves.
	aspects = [...]string{"sound", "sounds", "retries", "attempts", "path", "file", "dir", "parts", "length", "size", "timeout", "type", "mask"}
	// verbs make a name a question about secrets if its value is yes or no.
	verbs = [...]string{"allow", "send", "retain", "require", "use", "log", "override", "ndlb"}
	// doors are what a key belongs to that opens none: a soft key, the key of a binding.
	doors = [...]string{"soft", "hot", "binding", "routing"}
)

// secretName reports whether a parameter of that name and value is a secret.
func secretName(name, value string) bool {
	words := nameWords(name)
	if len(words) == 0 {
		return false
	}
	switch last := words[len(words)-1]; {
	case slices.Contains(aspects[:], last), yesOrNo(value) && slices.ContainsFunc(words, isVerb):
		return false
	case len(value) < 2 && strings.HasPrefix(secretWord(last), "key"): // of the telephone
		return false
	}
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch kind := secretWord(w); {
		case kind == "":
		case kind == "pass" && (i > 0 && words[i-1] == "2" || i == 0 && !slices.Contains(passNouns[:], next)):
			// pass-rfc2833, rc-2pass: to pass, a pass
		case strings.HasPrefix(kind, "key") && (next == "frame" || i > 0 && slices.Contains(doors[:], words[i-1])):
			// a key of a video, of a queue
		default:
			return true
		}
	}
	return false
}

// nameWords are the words of a parameter's name, in lower case: of api_key, api-key, apiKey
// and APIKey they are api and key. Numbers are words.
func nameWords(name string) []string {
	var words []string
	begin, before := 0, byte(0)
	for i := range len(name) + 1 {
		is := byte(0) // neither letter nor digit, or the end
		if i < len(name) {
			is = kindOf(name[i])
		}
		lower := i+1 < len(name) && kindOf(name[i+1]) == 'a'
		if is == before && !(is == 'A' && lower) || before == 'A' && is == 'a' {
			before = is
			continue
		}
		if before != 0 && begin < i {
			words = append(words, strings.ToLower(name[begin:i]))
		}
		begin, before = i, is
	}
	return words
}

// kindOf is a for small letters, A for large ones, 0 as a character for digits, and
// the number 0 for the rest.
func kindOf(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return 'a'
	case 'A' <= c && c <= 'Z':
		return 'A'
	case '0' <= c && c <= '9':
		return '0'
	}
	return 0
}

// passNouns are what makes a noun of the word pass that a name begins with.
var passNouns = [...]string{"", "word", "phrase", "code", "key", "wd", "1", "2"}

// secretWord is the word for a secret that w is or ends in, "" if there is none.
func secretWord(w string) string {
	if slices.Contains(harmless[:], w) {
		return ""
	}
	for _, part := range secretParts {
		if strings.Contains(w, part) {
			return part
		}
	}
	for _, s := range secretWords {
		if strings.HasSuffix(w, s) {
			return s
		}
	}
	return ""
}

func isVerb(w string) bool { return slices.Contains(verbs[:], w) }

// yesOrNo reports whether a value is a word for yes or no; a number is not: it may be
// a PIN.
func yesOrNo(value string) bool {
	_, isNumber := number(value)
	return !isNumber && (True(value) || False(value))
}
