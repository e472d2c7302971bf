package lua

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	glua "github.com/yuin/gopher-lua"
)

// readFormats reads with the formats from argument first on; none means a line.
func (s *script) readFormats(L *glua.LState, f *file, first int) int {
	if f.closed {
		s.raise(L, "attempt to use a closed file")
	}
	if f.r == nil {
		return pushFileResult(L, syscall.EBADF, "read")
	}
	if f.w != nil {
		f.w.Flush()
	}
	defer s.rest()()
	top := L.GetTop()
	if top < first {
		L.Push(f.line(false))
		return 1
	}
	for i := first; i <= top; i++ {
		v := s.readOne(L, f, i)
		L.Push(v)
		if v == glua.LNil {
			return i - first + 1
		}
	}
	return top - first + 1
}

func (s *script) readOne(L *glua.LState, f *file, arg int) glua.LValue {
	if n, ok := L.Get(arg).(glua.LNumber); ok {
		return f.bytes(int64(min(float64(n), maxRead)))
	}
	format := strings.TrimPrefix(s.checkText(L, arg, "read"), "*")
	switch {
	case strings.HasPrefix(format, "n"):
		return f.number()
	case strings.HasPrefix(format, "l"):
		return f.line(false)
	case strings.HasPrefix(format, "L"):
		return f.line(true)
	case strings.HasPrefix(format, "a"):
		data, err := io.ReadAll(io.LimitReader(f.r, maxRead))
		if err != nil && len(data) == 0 && !errors.Is(err, os.ErrClosed) {
			return glua.LNil
		}
		s.account(L, len(data))
		return glua.LString(data)
	}
	s.argError(L, arg, "read", "invalid format")
	return glua.LNil
}

// line is the next line, with its end if that is asked for; nil at the end.
func (f *file) line(end bool) glua.LValue {
	var b strings.Builder
	for b.Len() < maxRead {
		piece, err := f.r.ReadSlice('\n')
		b.Write(piece)
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	str := b.String()
	if str == "" {
		return glua.LNil
	}
	if !end {
		str = strings.TrimSuffix(str, "\n")
	}
	return glua.LString(str)
}

// bytes is up to n bytes, nil at the end.
func (f *file) bytes(n int64) glua.LValue {
	if n <= 0 {
		if _, err := f.r.Peek(1); err != nil {
			return glua.LNil
		}
		return glua.LString("")
	}
	data, _ := io.ReadAll(io.LimitReader(f.r, n))
	if len(data) == 0 {
		return glua.LNil
	}
	return glua.LString(data)
}

// number reads a number after blanks; nil if there is none.
func (f *file) number() glua.LValue {
	var b strings.Builder
	for b.Len() < 200 {
		c, err := f.r.ReadByte()
		if err != nil {
			break
		}
		blank := c == ' ' || c >= '\t' && c <= '\r'
		if blank && b.Len() == 0 {
			continue
		}
		if blank || !isAlpha(c) && !isDigit(c) && strings.IndexByte("+-.", c) < 0 {
			f.r.UnreadByte()
			break
		}
		b.WriteByte(c)
	}
	if n, ok := parseNumber(b.String()); ok {
		return glua.LNumber(n)
	}
	return glua.LNil
}
