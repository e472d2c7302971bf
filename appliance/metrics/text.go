// Package metrics writes what a running box can count in Prometheus' text format
// (version 0.0.4), without a library: a Text is a page under construction, and
// every family is written once with its HELP and TYPE lines. A Histogram is the
// one shape that needs memory between two pages.
//
// What is counted, and what it is called, is the business of whoever fills the
// page. Nothing here starts a goroutine or opens a socket.
package metrics

import (
	"math"
	"strconv"
	"strings"
	"sync"
)

// ContentType is the media type of a page.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Text is one page. The zero value is an empty one.
type Text struct{ b strings.Builder }

// Family begins a family of samples. kind is "gauge", "counter" or "histogram".
func (t *Text) Family(name, kind, help string) {
	t.b.WriteString("# HELP " + name + " " + strings.NewReplacer("\\", `\\`, "\n", `\n`).Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// Sample writes one value. Labels are names and values in turn.
func (t *Text) Sample(name string, value float64, labels ...string) {
	t.b.WriteString(name)
	if len(labels) > 1 {
		t.b.WriteByte('{')
		for i := 0; i+1 < len(labels); i += 2 {
			if i > 0 {
				t.b.WriteByte(',')
			}
			t.b.WriteString(labels[i] + `="`)
			t.b.WriteString(escape(labels[i+1]))
			t.b.WriteByte('"')
		}
		t.b.WriteByte('}')
	}
	t.b.WriteByte(' ')
	t.b.WriteString(number(value))
	t.b.WriteByte('\n')
}

// One writes a family that has one sample without labels.
func (t *Text) One(name, kind, help string, value float64) {
	t.Family(name, kind, help)
	t.Sample(name, value)
}

// Histogram writes a histogram's family.
func (t *Text) Histogram(name, help string, h *Histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Family(name, "histogram", help)
	var below uint64
	for i, bound := range h.bounds {
		below += h.counts[i]
		t.Sample(name+"_bucket", float64(below), "le", number(bound))
	}
	t.Sample(name+"_bucket", float64(h.count), "le", "+Inf")
	t.Sample(name+"_sum", h.sum)
	t.Sample(name+"_count", float64(h.count))
}

// String is the page.
func (t *Text) String() string { return t.b.String() }

// escape makes a label's value safe: it may come from a call.
func escape(s string) string {
	return strings.NewReplacer("\\", `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

func number(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsNaN(f):
		return "NaN"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Histogram counts observations below bounds. It is safe for concurrent use.
type Histogram struct {
	mu     sync.Mutex
	bounds []float64
	counts []uint64
	count  uint64
	sum    float64
}

// NewHistogram makes a histogram; bounds rise.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]uint64, len(bounds))}
}

// Observe counts one value.
func (h *Histogram) Observe(v float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, bound := range h.bounds {
		if v <= bound {
			h.counts[i]++
			break
		}
	}
	h.count++
	h.sum += v
}
