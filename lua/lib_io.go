package lua

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	glua "github.com/yuin/gopher-lua"
)

// maxRead bounds one read, in bytes.
const maxRead = 64 << 20

// file is a Lua file: one of the disk's, a program's input or output, or one of
// the process's streams.
type file struct {
	s      *script
	r      *bufio.Reader
	w      *bufio.Writer
	f      *os.File  // of the disk; nil for others
	pipe   io.Closer // to a program's input
	cmd    *exec.Cmd
	closed bool
	std    bool
}

func (f *file) finalize() { f.close() }

// close ends the file; the error of a program is how it ended.
func (f *file) close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	f.s.forget(f)
	var err error
	if f.w != nil {
		err = f.w.Flush()
	}
	if f.pipe != nil {
		f.pipe.Close()
	}
	if f.f != nil {
		if cerr := f.f.Close(); err == nil {
			err = cerr
		}
	}
	if f.cmd != nil {
		end := f.s.rest()
		err = f.cmd.Wait()
		end()
	}
	return err
}

// stdout takes what scripts write to their standard output.
type stdout struct{ s *script }

func (o stdout) Write(p []byte) (int, error) {
	o.s.print(string(p))
	return len(p), nil
}

// ioContents are those of the library io.
func ioContents() *contents {
	c := &contents{}
	for _, name := range []string{"close", "input", "lines", "open", "output", "popen", "read", "tmpfile", "type", "write"} {
		c.put(name, func(s *script) glua.LValue { return s.L.NewFunction(s.io().functions[name]) })
	}
	c.put("stdin", func(s *script) glua.LValue { return s.io().stdin })
	c.put("stdout", func(s *script) glua.LValue { return s.io().stdout })
	c.put("stderr", func(s *script) glua.LValue { return s.io().stdout })
	return c
}

// io makes a state's files at the first use of the library.
func (s *script) io() *ioLibrary {
	if s.files != nil {
		return s.files
	}
	L := s.L
	mt := L.CreateTable(0, smallTable)
	methods := L.CreateTable(0, smallTable)
	s.install(methods, fileMethods())
	mt.RawSetString("__index", methods)
	mt.RawSetString("__name", glua.LString("FILE*"))
	mt.RawSetString("__tostring", L.NewFunction(func(L *glua.LState) int {
		f, _ := fileOf(L.Get(1))
		name := "file (closed)"
		if f != nil && !f.closed {
			name = strings.Replace(L.Get(1).String(), "userdata: ", "file (", 1) + ")"
		}
		L.Push(glua.LString(name))
		return 1
	}))
	o := &ioLibrary{s: s, mt: mt}
	o.stdin = o.wrap(&file{s: s, r: bufio.NewReaderSize(strings.NewReader(""), 16), std: true})
	o.stdout = o.wrap(&file{s: s, w: bufio.NewWriterSize(stdout{s}, 16), std: true})
	o.input, o.output = o.stdin, o.stdout
	o.functions = o.all()
	s.files = o
	return o
}

// ioLibrary holds a state's default files.
type ioLibrary struct {
	s             *script
	mt            *glua.LTable
	stdin, stdout *glua.LUserData
	input, output *glua.LUserData
	functions     map[string]glua.LGFunction
}

func (o *ioLibrary) wrap(f *file) *glua.LUserData {
	ud := o.s.L.NewUserData()
	ud.Value, ud.Metatable = f, o.mt
	if !f.std {
		o.s.hold(f)
	}
	return ud
}

func fileOf(v glua.LValue) (*file, bool) {
	ud, _ := v.(*glua.LUserData)
	if ud == nil {
		return nil, false
	}
	f, ok := ud.Value.(*file)
	return f, ok
}

// checkFile is the file that a method is called on, open.
func (s *script) checkFile(L *glua.LState, function string) *file {
	f, ok := fileOf(L.Get(1))
	if !ok {
		s.argError(L, 1, function, "FILE* expected, got "+s.given(L, 1))
	}
	if f.closed {
		s.raise(L, "attempt to use a closed file")
	}
	return f
}

// openFile opens a file of the disk in one of C's modes.
func (o *ioLibrary) openFile(path, mode string) (*glua.LUserData, error) {
	flags := map[string]int{"r": os.O_RDONLY, "r+": os.O_RDWR, "w": os.O_WRONLY | os.O_CREATE | os.O_TRUNC,
		"w+": os.O_RDWR | os.O_CREATE | os.O_TRUNC, "a": os.O_WRONLY | os.O_CREATE | os.O_APPEND, "a+": os.O_RDWR | os.O_CREATE | os.O_APPEND}
	flag, ok := flags[strings.Replace(mode, "b", "", 1)]
	if !ok {
		return nil, syscall.EINVAL
	}
	disk, err := os.OpenFile(path, flag, 0o666)
	if err != nil {
		return nil, err
	}
	f := &file{s: o.s, f: disk}
	if flag&(os.O_WRONLY) == 0 {
		f.r = bufio.NewReader(disk)
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		f.w = bufio.NewWriter(disk)
	}
	return o.wrap(f), nil
}

// popen starts a program to read from or to write to.
func (o *ioLibrary) popen(L *glua.LState, command, mode string) (*glua.LUserData, error) {
	s := o.s
	if !s.host.opts.AllowShell {
		s.raise(L, "io.popen: %s", shellRefused)
	}
	cmd := shell(s.ctx, command)
	f := &file{s: s, cmd: cmd}
	if strings.HasPrefix(mode, "w") {
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		cmd.Stdout = stdout{s}
		f.w, f.pipe = bufio.NewWriter(in), in
	} else {
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		f.r = bufio.NewReader(out)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return o.wrap(f), nil
}

// all makes the functions of the library.
func (o *ioLibrary) all() map[string]glua.LGFunction {
	s := o.s
	fail := func(L *glua.LState, err error, path string) int { return pushFileResult(L, err, path) }
	setDefault := func(name string, slot func() **glua.LUserData, mode string) glua.LGFunction {
		return func(L *glua.LState) int {
			switch v := L.Get(1); {
			case isText(v):
				ud, err := o.openFile(text(v), mode)
				if err != nil {
					s.raise(L, "%s: %s", text(v), strerror(err))
				}
				*slot() = ud
			case v != glua.LNil:
				s.checkFile(L, name)
				*slot() = v.(*glua.LUserData)
			}
			L.Push(*slot())
			return 1
		}
	}
	return map[string]glua.LGFunction{
		"open": func(L *glua.LState) int {
			path, mode := s.checkText(L, 1, "open"), "r"
			if L.Get(2) != glua.LNil {
				mode = s.checkText(L, 2, "open")
			}
			ud, err := o.openFile(path, mode)
			if err == error(syscall.EINVAL) {
				s.argError(L, 2, "open", "invalid mode")
			}
			if err != nil {
				return fail(L, err, path)
			}
			L.Push(ud)
			return 1
		},
		"popen": func(L *glua.LState) int {
			command := s.checkText(L, 1, "popen")
			ud, err := o.popen(L, command, text(L.Get(2)))
			if err != nil {
				return fail(L, err, command)
			}
			L.Push(ud)
			return 1
		},
		"tmpfile": func(L *glua.LState) int {
			disk, err := os.CreateTemp("", "lua_")
			if err != nil {
				return fail(L, err, "tmpfile")
			}
			os.Remove(disk.Name())
			L.Push(o.wrap(&file{s: s, f: disk, r: bufio.NewReader(disk), w: bufio.NewWriter(disk)}))
			return 1
		},
		"type": func(L *glua.LState) int {
			f, ok := fileOf(L.Get(1))
			switch {
			case !ok:
				L.Push(glua.LNil)
			case f.closed:
				L.Push(glua.LString("closed file"))
			default:
				L.Push(glua.LString("file"))
			}
			return 1
		},
		"close": func(L *glua.LState) int {
			if L.Get(1) == glua.LNil {
				L.Push(o.output)
			}
			return fileClose(s, L)
		},
		"lines": func(L *glua.LState) int {
			if L.Get(1) == glua.LNil {
				return o.lines(L, o.input, false, 2)
			}
			path := s.checkText(L, 1, "lines")
			ud, err := o.openFile(path, "r")
			if err != nil {
				s.raise(L, "%s: %s", path, strerror(err))
			}
			return o.lines(L, ud, true, 2)
		},
		"read": func(L *glua.LState) int {
			return s.readFormats(L, o.input.Value.(*file), 1)
		},
		"write": func(L *glua.LState) int {
			return s.writeValues(L, o.output, 1)
		},
		"input":  setDefault("input", func() **glua.LUserData { return &o.input }, "r"),
		"output": setDefault("output", func() **glua.LUserData { return &o.output }, "w"),
	}
}

// lines returns an iterator over reads with the formats from argument first on.
func (o *ioLibrary) lines(L *glua.LState, ud *glua.LUserData, closes bool, first int) int {
	var formats []glua.LValue
	for i := first; i <= L.GetTop(); i++ {
		formats = append(formats, L.Get(i))
	}
	f := ud.Value.(*file)
	L.Push(L.NewFunction(func(L *glua.LState) int {
		if f.closed {
			o.s.raise(L, "file is already closed")
		}
		L.SetTop(0)
		for _, v := range formats {
			L.Push(v)
		}
		top := L.GetTop()
		n := o.s.readFormats(L, f, 1)
		if L.Get(top+1) == glua.LNil && closes {
			f.close()
		}
		return n
	}))
	return 1
}

func fileMethods() library {
	return library{
		"close": fileClose,
		"flush": func(s *script, L *glua.LState) int {
			f := s.checkFile(L, "flush")
			if f.w != nil {
				if err := f.w.Flush(); err != nil {
					return pushFileResult(L, err, "flush")
				}
			}
			L.Push(L.Get(1))
			return 1
		},
		"lines": func(s *script, L *glua.LState) int {
			s.checkFile(L, "lines")
			return (&ioLibrary{s: s}).lines(L, L.Get(1).(*glua.LUserData), false, 2)
		},
		"read":  func(s *script, L *glua.LState) int { return s.readFormats(L, s.checkFile(L, "read"), 2) },
		"write": func(s *script, L *glua.LState) int { s.checkFile(L, "write"); return s.writeValues(L, L.Get(1), 2) },
		"seek":  fileSeek,
		"setvbuf": func(s *script, L *glua.LState) int {
			s.checkFile(L, "setvbuf")
			L.Push(glua.LTrue)
			return 1
		},
	}
}

func fileClose(s *script, L *glua.LState) int {
	v := L.Get(-1)
	if L.GetTop() > 0 && L.Get(1) != glua.LNil {
		v = L.Get(1)
	}
	f, ok := fileOf(v)
	if !ok {
		s.argError(L, 1, "close", "FILE* expected, got "+s.given(L, 1))
	}
	switch {
	case f.closed:
		s.raise(L, "attempt to use a closed file")
	case f.std:
		L.Push(glua.LNil)
		L.Push(glua.LString("cannot close standard file"))
		return 2
	}
	program := f.cmd != nil
	err := f.close()
	if program {
		return pushExit(L, err)
	}
	return pushFileResult(L, err, "close")
}

func fileSeek(s *script, L *glua.LState) int {
	f := s.checkFile(L, "seek")
	whence, ok := map[string]int{"": io.SeekCurrent, "set": io.SeekStart, "cur": io.SeekCurrent, "end": io.SeekEnd}[text(L.Get(2))]
	if !ok {
		s.argError(L, 2, "seek", "invalid option '"+text(L.Get(2))+"'")
	}
	if f.f == nil || f.cmd != nil {
		return pushFileResult(L, syscall.ESPIPE, "seek")
	}
	offset := int64(s.optNumber(L, 3, "seek", 0))
	if f.w != nil {
		if err := f.w.Flush(); err != nil {
			return pushFileResult(L, err, "seek")
		}
	}
	if f.r != nil && whence == io.SeekCurrent {
		offset -= int64(f.r.Buffered())
	}
	at, err := f.f.Seek(offset, whence)
	if err != nil {
		return pushFileResult(L, err, "seek")
	}
	if f.r != nil {
		f.r.Reset(f.f)
	}
	L.Push(glua.LNumber(at))
	return 1
}

func (s *script) writeValues(L *glua.LState, v glua.LValue, first int) int {
	f, _ := fileOf(v)
	if f == nil || f.closed {
		s.raise(L, "attempt to use a closed file")
	}
	if f.w == nil {
		return pushFileResult(L, syscall.EBADF, "write")
	}
	if f.r != nil && f.f != nil && f.r.Buffered() > 0 {
		f.f.Seek(-int64(f.r.Buffered()), io.SeekCurrent)
		f.r.Reset(f.f)
	}
	for i := first; i <= L.GetTop(); i++ {
		if _, err := f.w.WriteString(s.checkText(L, i, "write")); err != nil {
			return pushFileResult(L, err, "write")
		}
	}
	if f.std {
		f.w.Flush()
	}
	L.Push(v)
	return 1
}
