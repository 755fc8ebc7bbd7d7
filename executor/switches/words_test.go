package switches

import (
	"math/rand"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kplan/plan/graph"
)

// Taken out: the filter. A program's last words would colour, clear or retitle
// the terminal of whoever reads the error.
func TestLastWordsDoNotSteerTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      "plain",
		"\x1b[31mred\x1b[0m":         "red",
		"\x1b]0;title\x07text":       "text",
		"\x1b]8;;http://x\x1b\\link": "link",
		"\x1bPdevice\x1b\\x":         "x",
		"a\nb\r\nc":                  "a | b | c",
		"50%\r60%\rdone":             "50% 60% done",
		"bell\x07 back\x08":          "bell  back",
		"half \xe2\x82":              "half \ufffd",
		"\x9b31mred":                 "\ufffd31mred",
		"right\u202eleft":            "right left",
		"\x1b[":                      "",
		"\x1b":                       "",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	r := rand.New(rand.NewSource(1))
	for range 2000 {
		data := make([]byte, r.Intn(80))
		for i := range data {
			data[i] = byte(r.Intn(256))
			if r.Intn(4) == 0 {
				data[i] = 0x1b
			}
		}
		got := printable(string(data))
		if !utf8.ValidString(got) || strings.IndexFunc(got, unicode.IsControl) >= 0 {
			t.Fatalf("%q becomes %q", data, got)
		}
	}
}

// Taken out: the hash, or the limit. Kafka takes topics of 249 characters and
// groups of any; the file of a program's output has to have a name all the same,
// and one of its own.
func TestFileNamesOfLongAndOddNames(t *testing.T) {
	seen := map[string]string{}
	names := []string{"orders", "a/b", "a_b", "a\nb", "..", "é", "日本", strings.Repeat("x", 230), strings.Repeat("x", 248) + "a", strings.Repeat("x", 248) + "b", strings.Repeat("\"", 249), strings.Repeat("g", 5000)}
	r := rand.New(rand.NewSource(1))
	for range 300 {
		odd := make([]rune, 1+r.Intn(300))
		for i := range odd {
			odd[i] = rune(r.Intn(0x3000))
		}
		names = append(names, string(odd))
	}
	for _, name := range names {
		for _, step := range []string{graph.TopicAddress(name, "boundary"), graph.GroupAddress(name, "vacate"), graph.ServiceAddress(name, "stop")} {
			for _, action := range []string{"stop", "start", "check"} {
				file := fileName(step) + "." + action + ".log"
				if len(file) > 255 || strings.ContainsAny(file, "/\x00\\") || strings.Trim(fileName(step), ".") == "" {
					t.Errorf("%q is no name of a file", file)
				}
				if was, taken := seen[file]; taken && was != step+action {
					t.Errorf("%s stands for %q and %q", file, was, step+action)
				}
				seen[file] = step + action
			}
		}
	}
}
