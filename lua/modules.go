package lua

import (
	"embed"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

//go:embed modules
var moduleFiles embed.FS

// builtinModule is a module that require finds without a file: in Lua, over
// functions of ours, which its chunk gets as its second argument.
type builtinModule struct {
	file string // in modules; "": the functions are the module
	core func(s *script) library
	// files is whether a file of that name comes first: the original is written in
	// Lua and works as it is.
	files bool
}

// builtinModules are the modules of C and of others that scripts require most.
var builtinModules = map[string]builtinModule{
	"luasql.sqlite3":   {file: "luasql.lua", core: sqlCore},
	"luasql.postgres":  {file: "luasql.lua", core: sqlCore},
	"luasql.mysql":     {file: "luasql.lua", core: sqlCore},
	"luasql.odbc":      {file: "luasql.lua", core: sqlCore},
	"lsqlite3":         {file: "lsqlite3.lua", core: sqlCore},
	"lsqlite3complete": {file: "lsqlite3.lua", core: sqlCore},
	"cjson":            {file: "cjson.lua", core: jsonCore},
	"cjson.safe":       {file: "cjson.lua", core: jsonCore},
	"dkjson":           {file: "dkjson.lua", core: jsonCore, files: true},
	"ltn12":            {file: "ltn12.lua", core: noCore},
	"socket.http":      {file: "socket_http.lua", core: httpCore},
	"ssl.https":        {file: "socket_http.lua", core: httpCore},
	"socket":           {core: socketCore},
	"socket.url":       {core: urlCore},
	"mime":             {core: mimeCore},
}

// absentModules are those that scripts ask for and that are not there on purpose.
var absentModules = map[string]string{
	"socket.smtp": "use freeswitch.email",
	"socket.ftp":  "use socket.http",
	"socket.core": "sockets are not open to scripts; socket.http makes requests",
	"mime.core":   "require mime instead",
	"ssl":         "use ssl.https",
	"ssl.core":    "use ssl.https",
	"lfs":         "use io.open and io.popen",
	"lpeg":        "patterns are those of string.find and of the command regex",
	"lxp":         "no module of C can be loaded",
	"LuaXml":      "no module of C can be loaded",
}

func noCore(*script) library { return library{} }

// builtinSearcher is a searcher of require: files tells which half of the modules
// it finds.
func (s *script) builtinSearcher(files bool) glua.LGFunction {
	return func(L *glua.LState) int {
		name := text(L.Get(1))
		m, ok := builtinModules[name]
		if !ok || m.files != files {
			if why := absentModules[name]; why != "" && files {
				L.Push(glua.LString("\n\tnot provided by this switch: " + why))
			} else {
				L.Push(glua.LString(""))
			}
			return 1
		}
		core := L.CreateTable(0, 0)
		s.install(core, m.core(s))
		s.constants(core, name)
		if m.file == "" {
			L.Push(L.NewFunction(func(L *glua.LState) int { L.Push(core); return 1 }))
			return 1
		}
		proto, err := s.host.chunks.module(m.file)
		if err != nil {
			s.raise(L, "error loading module '%s':\n\t%v", name, err)
		}
		L.Push(s.load(L, proto, nil))
		L.Push(core)
		return 2
	}
}

// constants are what a module has beside functions.
func (s *script) constants(core *glua.LTable, name string) {
	switch name {
	case "cjson", "cjson.safe", "dkjson":
		core.RawSetString("null", s.jsonNull(&s.null))
		core.RawSetString("empty", s.jsonNull(&s.emptyArray))
	case "socket":
		core.RawSetString("_VERSION", glua.LString("LuaSocket 3.0"))
	}
}

// module compiles one of the embedded modules.
func (c *chunks) module(file string) (*glua.FunctionProto, error) {
	key := "module " + file
	c.mu.Lock()
	e := c.cached[key]
	c.mu.Unlock()
	if e != nil {
		return e.proto, nil
	}
	source, err := moduleFiles.ReadFile("modules/" + file)
	if err != nil {
		return nil, err
	}
	proto, err := compile(string(source), key)
	if err == nil {
		c.keep(key, &compiled{proto: proto})
	}
	return proto, err
}

// socketCore is the module socket, without its sockets.
func socketCore(s *script) library {
	absent := func(name string) func(*script, *glua.LState) int {
		return func(s *script, L *glua.LState) int {
			s.raise(L, "socket.%s is not provided by this switch: sockets are not open to scripts; socket.http makes requests", name)
			return 0
		}
	}
	lib := library{
		"gettime": func(s *script, L *glua.LState) int {
			L.Push(glua.LNumber(float64(time.Now().UnixMicro()) / 1e6))
			return 1
		},
		"sleep": func(s *script, L *glua.LState) int {
			s.pause(time.Duration(min(max(s.checkNumber(L, 1, "sleep"), 0), 1e9) * float64(time.Second)))
			return 0
		},
	}
	for _, name := range []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "connect", "connect4", "connect6", "bind", "select"} {
		lib[name] = absent(name)
	}
	return lib
}

// urlCore is the module socket.url.
func urlCore(*script) library {
	return library{
		"escape": func(s *script, L *glua.LState) int {
			return s.pushText(L, strings.ReplaceAll(url.QueryEscape(s.checkText(L, 1, "escape")), "+", "%20"))
		},
		"unescape": func(s *script, L *glua.LState) int {
			out, err := url.PathUnescape(s.checkText(L, 1, "unescape"))
			if err != nil {
				out = s.checkText(L, 1, "unescape")
			}
			return s.pushText(L, out)
		},
		"parse": func(s *script, L *glua.LState) int {
			u, err := url.Parse(s.checkText(L, 1, "parse"))
			if err != nil {
				L.Push(glua.LNil)
				L.Push(glua.LString("invalid url"))
				return 2
			}
			t := L.CreateTable(0, 0)
			password := ""
			if u.User != nil {
				password, _ = u.User.Password()
			}
			for key, value := range map[string]string{"scheme": u.Scheme, "authority": strings.TrimSuffix(u.User.String()+"@"+u.Host, "@"),
				"host": u.Hostname(), "port": u.Port(), "path": u.EscapedPath(), "query": u.RawQuery, "fragment": u.Fragment,
				"user": u.User.Username(), "password": password} {
				if value = strings.TrimPrefix(value, "@"); value != "" {
					t.RawSetString(key, glua.LString(value))
				}
			}
			L.Push(t)
			return 1
		},
	}
}

// mimeCore is what of the module mime is used by itself.
func mimeCore(*script) library {
	return library{
		"b64": func(s *script, L *glua.LState) int {
			if L.Get(1) == glua.LNil {
				L.Push(glua.LNil)
				return 1
			}
			return s.pushText(L, base64.StdEncoding.EncodeToString([]byte(s.checkText(L, 1, "b64"))))
		},
		"unb64": func(s *script, L *glua.LState) int {
			if L.Get(1) == glua.LNil {
				L.Push(glua.LNil)
				return 1
			}
			clean := strings.Map(func(r rune) rune {
				if r == '\r' || r == '\n' || r == ' ' || r == '=' {
					return -1
				}
				return r
			}, s.checkText(L, 1, "unb64"))
			out, err := base64.RawStdEncoding.DecodeString(clean)
			if err != nil {
				L.Push(glua.LNil)
				return 1
			}
			return s.pushText(L, string(out))
		},
	}
}
