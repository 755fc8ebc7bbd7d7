package switches

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"kplan/internal/cluster"
)

// tailBytes is how much of a program's output an error shows.
const tailBytes = 600

// tail returns the last words of a program, safe to print: what it wrote to its
// log behind an offset.
func tail(path string, from int64) string {
	data, err := os.ReadFile(path)
	if err != nil || int64(len(data)) <= from {
		return ""
	}
	text := printable(string(data[from:]))
	if len(text) <= tailBytes {
		return text
	}
	cut := len(text) - tailBytes
	for cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut++
	}
	return "..." + text[cut:]
}

// escapes are the sequences with which programs steer terminals (ECMA-48): CSI,
// OSC and other strings with their end, and single escapes.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?")

// printable takes out of a text what would steer a terminal, and writes it on
// one line: escape sequences go, lines are joined by bars, other control and
// format characters become blanks, and bytes that are no character become U+FFFD.
func printable(text string) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, string(utf8.RuneError)), "")
	text = strings.ReplaceAll(strings.Trim(text, "\r\n\t "), "\r\n", "\n")
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(" | ")
		case cluster.Steers(r):
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// clip shortens a word for a message.
func clip(s string) string {
	const most = 60
	if s = printable(s); len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// longestName is how much of a step's address a file name shows: file systems
// take 255 bytes, topics have names of up to 249 characters, and groups longer
// ones.
const longestName = 150

// fileName makes a file name of a step's address. Where not all of it can stand
// there, a hash keeps it apart from others.
func fileName(step string) string {
	whole := len(step) <= longestName
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		case r == '"', r == '[', r == ']':
			return '_'
		}
		whole = false
		return '_'
	}, step)
	if whole {
		return name
	}
	sum := sha256.Sum256([]byte(step))
	return name[:min(len(name), longestName)] + "-" + hex.EncodeToString(sum[:6])
}
