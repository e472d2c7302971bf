package lua

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/switchlet/switchlet/call"
)

// shellRefused is what scripts are told that run programs without leave.
const shellRefused = "running programs is not allowed (set allow_shell in switch.conf)"

func osLibrary() library {
	return library{
		"date":    osDate,
		"time":    osTime,
		"exit":    osExit,
		"execute": osExecute,
		"remove": func(s *script, L *glua.LState) int {
			path := s.checkText(L, 1, "remove")
			return pushFileResult(L, os.Remove(path), path)
		},
		"rename": func(s *script, L *glua.LState) int {
			from, to := s.checkText(L, 1, "rename"), s.checkText(L, 2, "rename")
			return pushFileResult(L, os.Rename(from, to), from)
		},
		"tmpname": func(s *script, L *glua.LState) int {
			f, err := os.CreateTemp("", "lua_")
			if err != nil {
				s.raise(L, "unable to generate a unique filename")
			}
			f.Close()
			L.Push(glua.LString(f.Name()))
			return 1
		},
		"setlocale": func(s *script, L *glua.LState) int {
			switch text(L.Get(1)) {
			case "", "C", "POSIX":
				L.Push(glua.LString("C"))
			default:
				L.Push(glua.LNil)
			}
			return 1
		},
	}
}

// pushFileResult returns true, or nil, the system's text and its number.
func pushFileResult(L *glua.LState, err error, path string) int {
	if err == nil {
		L.Push(glua.LTrue)
		return 1
	}
	L.Push(glua.LNil)
	L.Push(glua.LString(path + ": " + strerror(err)))
	L.Push(glua.LNumber(errorNumber(err)))
	return 3
}

func errorNumber(err error) int {
	var number syscall.Errno
	if errors.As(err, &number) {
		return int(number)
	}
	return int(syscall.EIO)
}

func osExit(s *script, L *glua.LState) int {
	s.log(call.LogErr, "Surely you jest! exiting is a bad plan....\n")
	return 0
}

func osTime(s *script, L *glua.LState) int {
	if L.Get(1) == glua.LNil {
		L.Push(glua.LNumber(time.Now().Unix()))
		return 1
	}
	t := s.checkTable(L, 1, "time")
	field := func(name string, def int) int {
		n, ok := number(t.RawGetString(name))
		if ok {
			return toInt(n)
		}
		if def < 0 {
			s.raise(L, "field '%s' missing in date table", name)
		}
		return def
	}
	at := time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1),
		field("hour", 12), field("min", 0), field("sec", 0), 0, time.Local)
	L.Push(glua.LNumber(at.Unix()))
	return 1
}

func osDate(s *script, L *glua.LState) int {
	format := "%c"
	if L.Get(1) != glua.LNil {
		format = s.checkText(L, 1, "date")
	}
	at := time.Now()
	if L.Get(2) != glua.LNil {
		at = time.Unix(int64(math.Floor(s.checkNumber(L, 2, "date"))), 0)
	}
	if strings.HasPrefix(format, "!") {
		format, at = format[1:], at.UTC()
	}
	if strings.HasPrefix(format, "*t") {
		t := L.CreateTable(0, 0)
		for name, v := range map[string]int{"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(),
			"min": at.Minute(), "sec": at.Second(), "wday": int(at.Weekday()) + 1, "yday": at.YearDay()} {
			t.RawSetString(name, glua.LNumber(v))
		}
		t.RawSetString("isdst", glua.LBool(at.IsDST()))
		L.Push(t)
		return 1
	}
	out, bad := strftime(format, at)
	if bad != "" {
		s.argError(L, 1, "date", "invalid conversion specifier '"+bad+"'")
	}
	return s.pushText(L, out)
}

// strftime formats a time as C's function does in the C locale. bad is the first
// conversion that there is not.
func strftime(format string, t time.Time) (out, bad string) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i < len(format) && (format[i] == 'E' || format[i] == 'O') {
			i++
		}
		if i >= len(format) {
			return "", "%"
		}
		piece, ok := conversion(format[i], t)
		if !ok {
			return "", "%" + format[i:i+1]
		}
		b.WriteString(piece)
	}
	return b.String(), ""
}

// layouts are conversions that Go's own formats give.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'c': "Mon Jan _2 15:04:05 2006",
	'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04",
	'p': "PM", 'r': "03:04:05 PM", 'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05",
	'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

func conversion(c byte, t time.Time) (string, bool) {
	if layout, ok := layouts[c]; ok {
		return t.Format(layout), true
	}
	switch c {
	case '%':
		return "%", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100), true
	case 'g':
		year, _ := t.ISOWeek()
		return fmt.Sprintf("%02d", year%100), true
	case 'G':
		year, _ := t.ISOWeek()
		return fmt.Sprint(year), true
	case 'V':
		_, week := t.ISOWeek()
		return fmt.Sprintf("%02d", week), true
	case 's':
		return fmt.Sprint(t.Unix()), true
	case 'u':
		return fmt.Sprint((int(t.Weekday())+6)%7 + 1), true
	case 'w':
		return fmt.Sprint(int(t.Weekday())), true
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7), true
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7), true
	}
	return "", false
}

// shell makes a command for the system's shell.
func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/c", command)
	}
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}

// notAllowed is the exit status of a shell whose program may not be run.
const notAllowed = 126

// osExecute runs a command and returns, as Lua 5.2, true or nil, "exit" or
// "signal", and a code. Where programs are not allowed it fails as one that cannot
// be started, with a line in the log; "sleep N" is a pause everywhere, since scripts
// of the guides wait by it.
func osExecute(s *script, L *glua.LState) int {
	if L.Get(1) == glua.LNil {
		L.Push(glua.LBool(s.host.opts.AllowShell))
		return 1
	}
	command := s.checkText(L, 1, "execute")
	if !s.host.opts.AllowShell {
		if d, ok := sleeps(command); ok {
			s.pause(d)
			return pushExit(L, nil)
		}
		s.log(call.LogErr, "os.execute: "+shellRefused+"\n")
		L.Push(glua.LNil)
		L.Push(glua.LString("exit"))
		L.Push(glua.LNumber(notAllowed))
		return 3
	}
	end := s.rest()
	err := shell(s.ctx, command).Run()
	end()
	return pushExit(L, err)
}

// sleeps tells how long a command does nothing but sleep.
func sleeps(command string) (time.Duration, bool) {
	f := strings.Fields(command)
	if len(f) != 2 || f[0] != "sleep" || strings.Trim(f[1], "0123456789.") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(f[1], 64)
	return time.Duration(min(seconds, 1e6) * float64(time.Second)), err == nil
}

// pushExit returns how a program ended.
func pushExit(L *glua.LState, err error) int {
	kind, code := "exit", 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			kind, code = "signal", int(status.Signal())
		}
	case err != nil:
		code = 127
	}
	if code == 0 {
		L.Push(glua.LTrue)
	} else {
		L.Push(glua.LNil)
	}
	L.Push(glua.LString(kind))
	L.Push(glua.LNumber(code))
	return 3
}
