package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// profile is a section of the configuration file, or what options say.
type profile struct {
	host     string
	port     int
	user     string
	password string
	logLevel string
	quiet    bool
	logUUID  bool
}

// overlay puts what other says over the profile.
func (p *profile) overlay(other profile) {
	text := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	text(&p.host, other.host)
	text(&p.user, other.user)
	text(&p.password, other.password)
	text(&p.logLevel, other.logLevel)
	if other.port != 0 {
		p.port = other.port
	}
	p.quiet = p.quiet || other.quiet
	p.logUUID = p.logUUID || other.logUUID
}

// complete fills in what nobody said.
func (p *profile) complete() {
	if p.host == "" {
		p.host = "127.0.0.1"
	}
	if p.port == 0 {
		p.port = 8021
	}
	if p.password == "" {
		p.password = "ClueCon"
	}
}

// parseProfiles reads the form of fs_cli.conf: [name] sections of lines
// "key = value" or "key => value", and comments behind ; or #. Keys that this
// console has no use for are ignored.
func parseProfiles(file, text string) (map[string]profile, error) {
	all := make(map[string]profile)
	name := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			end := strings.IndexByte(line, ']')
			if end < 0 {
				return nil, fmt.Errorf("%s:%d: section %q has no closing bracket", file, i+1, line)
			}
			name = line[1:end]
			if _, known := all[name]; !known {
				all[name] = profile{}
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q is neither [profile] nor key => value", file, i+1, line)
		}
		p := all[name]
		if err := p.set(strings.TrimSpace(key), strings.TrimSpace(strings.TrimPrefix(value, ">"))); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
		all[name] = p
	}
	return all, nil
}

func (p *profile) set(key, value string) error {
	switch strings.ToLower(key) {
	case "host":
		p.host = value
	case "port":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %q is no number from 1 to 65535", value)
		}
		p.port = n
	case "user":
		p.user = value
	case "password":
		p.password = value
	case "loglevel":
		p.logLevel = value
	case "quiet":
		p.quiet = truth(value)
	case "log-uuid":
		p.logUUID = truth(value)
	}
	return nil
}

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1", "t", "enabled":
		return true
	}
	return false
}
