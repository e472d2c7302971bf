package lua

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pucDriver runs a list of programs, each in a protected call, and writes what they
// write in hexadecimal, a line each. It is the same for every Lua.
const pucDriver = `
local emit = stream and function(s) stream:write(s) end or function(s) io.write(s) end
local load = loadstring or load
for i, source in ipairs(programs) do
  local out = {}
  function w(...) for n = 1, select("#", ...) do out[#out + 1] = tostring((select(n, ...))) end end
  local f, message = load(source, "=program")
  local ok = false
  if f then ok, message = pcall(f) end
  if not ok then out[#out + 1] = "error: " .. tostring(message) end
  local text = table.concat(out, "\1")
  emit(i .. " " .. text:gsub(".", function(c) return string.format("%02x", c:byte()) end):gsub("\n", "0a") .. "\n")
end
`

var pucName = regexp.MustCompile(`^(.*?)(?: (5\.[13]))?$`)

// TestLanguage_IsPUCs compares what programs write here with what Debian's lua5.1
// and lua5.3 write.
func TestLanguage_IsPUCs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/puc.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names, only, sources []string
	for _, part := range strings.Split(string(text), "\n=== ")[1:] {
		head, source, _ := strings.Cut(part, "\n")
		m := pucName.FindStringSubmatch(head)
		names, only, sources = append(names, m[1]), append(only, m[2]), append(sources, source)
	}
	b := newBox(t, "", nil)
	var driver strings.Builder
	driver.WriteString("programs = {}\n")
	for i, source := range sources {
		fmt.Fprintf(&driver, "programs[%d] = [=====[\n%s]=====]\n", i+1, source)
	}
	driver.WriteString(pucDriver)
	b.write("driver.lua", driver.String())
	ours := pucResults(t, []byte(b.api("lua driver.lua")), len(sources))
	compared := false
	for _, version := range []string{"5.1", "5.3"} {
		program, err := exec.LookPath("lua" + version)
		if err != nil {
			t.Logf("lua%s is not installed", version)
			continue
		}
		compared = true
		cmd := exec.CommandContext(t.Context(), program, filepath.Join(b.dir, "driver.lua"))
		cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ="+os.Getenv("TZ"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("lua%s: %v", version, err)
		}
		theirs := pucResults(t, out, len(sources))
		for i, name := range names {
			if only[i] != "" && only[i] != version {
				continue
			}
			if ours[i] != theirs[i] {
				t.Errorf("%s, beside Lua %s\nours   %s\ntheirs %s", name, version, ours[i], theirs[i])
			}
		}
	}
	if !compared {
		t.Skip("neither lua5.1 nor lua5.3 is installed")
	}
}

func pucResults(t *testing.T, out []byte, n int) []string {
	t.Helper()
	list := make([]string, n)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		i, code := 0, ""
		if _, err := fmt.Sscanf(lines.Text()+" ", "%d %s", &i, &code); i < 1 || i > n || err != nil && code != "" {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		text, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		list[i-1] = strings.ReplaceAll(string(text), "\x01", " · ")
	}
	return list
}
