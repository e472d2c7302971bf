//go:build ignore

// This program speaks the prompts of a table with Flite and encodes them:
//
//	go run make.go en.txt en
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/switchlet/switchlet/media/file/ogg"
	"github.com/switchlet/switchlet/media/file/wav"
)

const (
	voice = "slt"
	// bitrate is free of audible artefacts for this voice.
	bitrate = 16000
	// silent is the amplitude below which nothing is said, 48 dB under full scale.
	silent = 128
	// before and after in ms are what is left of the silence around the words.
	before, after = 20, 60
	// loudness is the level of what is said in dBFS, peak the highest amplitude.
	loudness, peak = -20, 29000
)

func main() {
	if len(os.Args) != 3 {
		fail(errors.New("usage: go run make.go TABLE DIRECTORY"))
	}
	table, err := os.Open(os.Args[1])
	if err != nil {
		fail(err)
	}
	defer table.Close()
	scratch, err := os.MkdirTemp("", "prompts")
	if err != nil {
		fail(err)
	}
	defer os.RemoveAll(scratch)
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), "\t")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if err := speak(filepath.Join(scratch, "spoken.wav"), text, filepath.Join(os.Args[2], name+".opus")); err != nil {
			fail(fmt.Errorf("%s: %w", name, err))
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// speak makes one recording.
func speak(spoken, text, path string) error {
	if out, err := exec.Command("flite", "-voice", voice, "-t", text, spoken).CombinedOutput(); err != nil {
		return fmt.Errorf("flite: %w: %s", err, out)
	}
	pcm, rate, err := read(spoken)
	if err != nil {
		return err
	}
	pcm = level(trim(pcm, rate))
	if len(pcm) == 0 {
		return errors.New("nothing was spoken")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, err := ogg.NewWriter(f, path, rate, 1, ogg.Options{Bitrate: bitrate, Complexity: 11})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(w.Write(pcm), w.Close())
}

func read(path string) (pcm []int16, rate int, err error) {
	r, err := wav.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	pcm = make([]int16, r.Len())
	for at := 0; at < len(pcm); {
		n, err := r.Read(pcm[at:])
		if at += n; err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return pcm[:at], r.Rate(), err
		}
	}
	return pcm, r.Rate(), nil
}

// trim cuts the silence around the words.
func trim(pcm []int16, rate int) []int16 {
	loud := func(v int16) bool { return v > silent || v < -silent }
	first, last := 0, len(pcm)
	for first < last && !loud(pcm[first]) {
		first++
	}
	for last > first && !loud(pcm[last-1]) {
		last--
	}
	if first == last {
		return nil
	}
	return pcm[max(first-rate*before/1000, 0):min(last+rate*after/1000, len(pcm))]
}

// level gives all prompts the same loudness.
func level(pcm []int16) []int16 {
	var power, top float64
	for _, v := range pcm {
		power += float64(v) * float64(v)
		top = max(top, math.Abs(float64(v)))
	}
	if power == 0 {
		return pcm
	}
	gain := math.Pow(10, loudness/20.0) * 32768 / math.Sqrt(power/float64(len(pcm)))
	gain = min(gain, peak/top)
	for i, v := range pcm {
		pcm[i] = int16(float64(v) * gain)
	}
	return pcm
}
