package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kplan/internal/cluster"
)

// Value writes a Kafka config value with its unit beside it: 604800000 (7d),
// 1048588 (1MiB).
func Value(key, value string) string {
	if value == "" {
		return `""`
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return clean(value)
	}
	unit := ""
	switch {
	case n == -1 && strings.HasPrefix(key, "retention."), n == 1<<63-1:
		unit = "no limit"
	case strings.HasSuffix(key, ".ms"):
		unit = span(n)
	case strings.HasSuffix(key, "bytes"):
		unit = size(n)
	}
	if unit == "" {
		return value
	}
	return value + " (" + unit + ")"
}

// span writes milliseconds in at most two units, and nothing where the raw
// number is as easy to read.
func span(ms int64) string {
	if ms < 1000 {
		return ""
	}
	units := []struct {
		name string
		of   int64
	}{{"d", 24 * time.Hour.Milliseconds()}, {"h", time.Hour.Milliseconds()}, {"m", time.Minute.Milliseconds()}, {"s", 1000}}
	text, parts := "", 0
	for _, u := range units {
		if n := ms / u.of; n > 0 && parts < 2 {
			text += fmt.Sprintf("%d%s", n, u.name)
			ms -= n * u.of
			parts++
		} else if parts > 0 {
			break // only neighbours: 7d and 3s is 7d and a bit
		}
	}
	if ms > 0 {
		return "≈" + text
	}
	return text
}

func size(bytes int64) string {
	if bytes < 1024 {
		return ""
	}
	value, unit := float64(bytes), ""
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, u
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + unit
}

// clean writes text that came from elsewhere on one line, without control
// characters that could steer a terminal.
func clean(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteRune(' ')
		case cluster.Steers(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Printable is a text for a terminal: line by line as it is, without control
// characters that could steer it. Names of groups and clients, and the words of
// brokers and programs, hold anything.
func Printable(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n")
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
