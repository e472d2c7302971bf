package conf

import (
	"sort"
	"strings"
)

// sourceMap tells for an offset in a flat text which file and line it came
// from. Segments are in order of their offsets.
type sourceMap struct {
	files    []string
	segments []segment
	// next is the line that the last segment goes on with; 0: it has ended.
	next int
	// offset and line of the place that was asked for last; line 0: none was.
	offset, line int
}

// segment is a piece of the flat text that came from one file, line by line.
type segment struct {
	offset int
	file   int32
	line   int32 // of the first byte
	// one is set when all of it came from that line, whatever breaks are in it.
	one bool
}

func lineMap(name string) *sourceMap {
	return &sourceMap{files: []string{name}, segments: []segment{{line: 1}}}
}

// emitted notes that a text is put at an offset, the end of the flat text so far.
// It has that many line breaks; ends tells whether the last stands at its end.
func (m *sourceMap) emitted(offset int, src *source, breaks int, ends bool) {
	one := breaks > 1 || breaks == 1 && !ends
	last := len(m.segments) - 1
	if one || last < 0 || m.next != src.line || m.segments[last].file != src.index {
		m.segments = append(m.segments, segment{offset, src.index, int32(src.line), one})
	}
	m.next = src.line + breaks
	if one {
		m.next = 0
	}
}

// at is quick where the offsets that are asked for ascend.
func (m *sourceMap) at(text string, offset int) (string, int) {
	i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].offset > offset }) - 1
	if i < 0 {
		if len(m.files) > 0 {
			return m.files[0], 1
		}
		return "", 1
	}
	s := m.segments[i]
	if s.one {
		return m.files[s.file], int(s.line)
	}
	from, line := s.offset, int(s.line)
	if m.line > 0 && m.offset >= from && m.offset <= offset {
		from, line = m.offset, m.line
	}
	m.offset, m.line = offset, line+strings.Count(text[from:offset], "\n")
	return m.files[s.file], m.line
}
