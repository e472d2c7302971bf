package webrtc

import (
	"context"
	"encoding/xml"
	"fmt"
	"sort"
	"strings"

	"github.com/switchlet/switchlet/call"
)

// vertoUsage is what the command verto prints without words.
const vertoUsage = "USAGE:\n--------------------------------------------------------------------------------\n" +
	"verto [status|xmlstatus]\nverto debug [0-10]\nverto perm <sessid> <type> <value>\nverto noperm <sessid> <type> <value>\n" +
	"verto announce <words>\n--------------------------------------------------------------------------------\n"

// Commands are the API commands of Verto.
func (s *Server) Commands() []call.Command {
	return []call.Command{
		{Name: "verto", Syntax: "<subcommand>", Description: "Verto API", Module: moduleName, Run: s.vertoCommand},
		{Name: "verto_contact", Syntax: "user[@domain]", Description: "Generate a verto endpoint dialstring", Module: moduleName, Run: s.contactCommand},
	}
}

func (s *Server) contactCommand(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	user, _, _ := strings.Cut(in.Args, " ")
	contact := ""
	if user != "" {
		contact = s.contact(user)
	}
	if contact == "" {
		contact = "error/user_not_registered"
	}
	in.Out.WriteString(contact)
	return nil
}

func (s *Server) vertoCommand(_ context.Context, _ *call.Switch, in *call.Invocation) error {
	word, rest, _ := strings.Cut(strings.TrimSpace(in.Args), " ")
	switch word {
	case "":
		in.Out.WriteString(vertoUsage)
	case "status":
		in.Out.WriteString(s.statusText())
	case "xmlstatus":
		in.Out.WriteString(s.statusXML())
	case "jsonstatus":
		in.Out.WriteString(s.statusJSON())
	case "debug":
		level := 0
		if _, err := fmt.Sscanf(rest, "%d", &level); err != nil || level < 0 || level > 10 {
			level = 0
		}
		fmt.Fprintf(in.Out, "Debug Level: %d\n", level)
	case "announce":
		s.announce(strings.Fields(rest))
		in.Out.WriteString("+OK\n")
	case "perm", "noperm":
		if s.permit(word == "perm", rest) {
			in.Out.WriteString("+OK")
		} else {
			in.Out.WriteString("-ERR")
		}
	default:
		fmt.Fprintf(in.Out, "Unknown Command [%s]\n", word)
	}
	return nil
}

// permit changes what a session may do: "<sessid> <kind> <list>".
func (s *Server) permit(on bool, rest string) bool {
	words := strings.SplitN(strings.TrimSpace(rest), " ", 3)
	if len(words) < 3 {
		return false
	}
	k := s.online(words[0])
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.account.perms.kind(words[1])
	if p == nil {
		return false
	}
	*p = p.clone()
	if on {
		p.add(words[2])
	} else {
		p.remove(words[2])
	}
	return true
}

// announce sends words to every session.
func (s *Server) announce(words []string) {
	if words == nil {
		words = []string{}
	}
	s.mu.Lock()
	list := make([]*socket, 0, len(s.sessions))
	for _, k := range s.sessions {
		list = append(list, k)
	}
	s.mu.Unlock()
	for _, k := range list {
		k.request("verto.announce", object{{"msg", words}})
	}
}

// client is one row of a status report.
type client struct {
	profile, user, domain, remote, kind, state string
}

// bindStatus is a row of an address that is listened on, or of a directory that is
// served there.
type bindStatus struct {
	profile, id, state string
	secure             bool
	vhost              string // its domain, "" for an address
}

// report collects what the status commands show.
func (s *Server) report() (binds []bindStatus, clients []client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.profiles {
		for _, b := range p.binds {
			state := "DOWN"
			if b.up {
				state = "RUNNING"
			}
			binds = append(binds, bindStatus{profile: p.name, id: b.id(), state: state, secure: b.secure})
		}
		if v := p.vhost; v != nil {
			state := "NOAUTH ()"
			if v.realm != "" {
				state = "AUTH (" + v.user + ")"
			}
			binds = append(binds, bindStatus{profile: p.name, id: v.path, state: state, vhost: v.domain})
		}
	}
	for k := range s.sockets {
		c := client{profile: k.profile.name, remote: k.remote, kind: "WS", state: "CONN_NO_REG"}
		if k.secure {
			c.kind = "WSS"
		}
		if a := k.who(); a != nil {
			c.user, c.domain, c.state = a.id, a.domain, "CONN_REG"
		}
		clients = append(clients, c)
	}
	sort.Slice(clients, func(i, j int) bool {
		a, b := clients[i], clients[j]
		return a.user+a.remote < b.user+b.remote
	})
	return binds, clients
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// statusText is "verto status" (spec/verto.md §10).
func (s *Server) statusText() string {
	binds, clients := s.report()
	line := strings.Repeat("=", 97) + "\n"
	var b strings.Builder
	fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s\n%s", "Name", "   Type", "Data", "State", line)
	profiles := map[string]bool{}
	for _, x := range binds {
		profiles[x.profile] = true
		name, kind := x.profile, "profile"
		if x.vhost != "" {
			name, kind = x.profile+"::"+x.vhost, "vhost"
		}
		fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s\n", name, kind, x.id, x.state)
	}
	for _, c := range clients {
		fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s (%s)\n", c.profile+"::"+c.user+"@"+c.domain, "client", c.remote, c.state, c.kind)
	}
	fmt.Fprintf(&b, "%s%d profile%s , %d client%s\n", line, len(profiles), plural(len(profiles)), len(clients), plural(len(clients)))
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

// statusXML is "verto xmlstatus".
func (s *Server) statusXML() string {
	binds, clients := s.report()
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n")
	for _, x := range binds {
		if x.vhost != "" {
			continue
		}
		fmt.Fprintf(&b, "<profile>\n<name>%s</name>\n<type>profile</type>\n<data>%s</data>\n<state>%s</state>\n</profile>\n",
			escape(x.profile), escape(x.id), x.state)
	}
	for _, c := range clients {
		fmt.Fprintf(&b, "<client>\n<profile>%s</profile>\n<name>%s</name>\n<type>client</type>\n<data>%s</data>\n<state>%s (%s)</state>\n</client>\n",
			escape(c.profile), escape(c.user+"@"+c.domain), escape(c.remote), c.state, c.kind)
	}
	b.WriteString("</profiles>\n")
	return b.String()
}

// statusJSON is "verto jsonstatus".
func (s *Server) statusJSON() string {
	binds, clients := s.report()
	list := []object{}
	for _, x := range binds {
		if x.vhost != "" {
			continue
		}
		kind, users := "BASIC", []object{}
		if x.secure {
			kind = "SECURE"
		}
		for _, c := range clients {
			if c.profile == x.profile && (c.kind == "WSS") == x.secure {
				users = append(users, object{{"user", c.user}, {"domain", c.domain}, {"entity", c.user + "@" + c.domain},
					{"type", c.kind}, {"remoteHost", c.remote}, {"state", c.state}})
			}
		}
		list = append(list, object{{"name", x.profile}, {"id", x.id}, {"type", kind}, {"state", x.state}, {"users", users}})
	}
	return marshalIndent(object{{"profiles", list}})
}

// RegisteredContact is the dial string of a user's sessions, for list_users and
// the like; "" if the user has none.
func (s *Server) RegisteredContact(user string) string { return s.contact(user) }
