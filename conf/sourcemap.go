package conf

import "sort"

// sourceMap tells for an offset in a flat text which file and line it came
// from. Segments are in order of their offsets.
type sourceMap struct {
	files    []string
	segments []segment
}

type segment struct {
	offset int
	file   int32
	line   int32
}

func lineMap(text, name string) *sourceMap {
	m := &sourceMap{files: []string{name}, segments: []segment{{0, 0, 1}}}
	line := int32(1)
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' {
			line++
			m.segments = append(m.segments, segment{i + 1, 0, line})
		}
	}
	return m
}

func (m *sourceMap) at(offset int) (string, int) {
	i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].offset > offset }) - 1
	if i < 0 {
		if len(m.files) > 0 {
			return m.files[0], 1
		}
		return "", 1
	}
	s := m.segments[i]
	return m.files[s.file], int(s.line)
}
