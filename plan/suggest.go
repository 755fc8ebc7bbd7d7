package plan

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/agext/levenshtein"
)

// nearest returns the candidate that a typing error most likely stands for, or
// "". Case does not count. Words of less than five letters allow one error, or
// two letters swapped.
func nearest(given string, candidates []string) string {
	best, bestDistance, half := "", 3, ""
	given = strings.ToLower(given)
	for _, c := range candidates {
		lower := strings.ToLower(c)
		if len(given) >= 4 && strings.HasPrefix(lower, given) && (half == "" || c < half) {
			half = c // half a name: "user" for "username"
		}
		if !near(given, lower) {
			continue
		}
		d := levenshtein.Distance(given, lower, nil)
		if d == 2 && min(len(c), len(given)) < 5 && letters(given) != letters(lower) {
			continue
		}
		if d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return half
	}
	return best
}

// near reports whether two words may be at most two errors apart, at a price
// that thousands of candidates can have: what they begin and end with alike
// costs nothing, and of the rest only the signs are counted.
func near(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	most := 2
	if !ascii(a) || !ascii(b) {
		most *= utf8.UTFMax // an error is a character, and these are bytes
	}
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return false
	}
	var count [256]int16
	for i := range len(a) {
		count[a[i]]++
	}
	for i := range len(b) {
		count[b[i]]--
	}
	more, fewer := 0, 0
	for i := range len(a) {
		if n := count[a[i]]; n > 0 {
			more, count[a[i]] = more+int(n), 0
		}
	}
	for i := range len(b) {
		if n := count[b[i]]; n < 0 {
			fewer, count[b[i]] = fewer-int(n), 0
		}
	}
	return more <= most && fewer <= most
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// letters returns the letters of a word in order.
func letters(word string) string {
	r := []rune(word)
	sort.Slice(r, func(i, j int) bool { return r[i] < r[j] })
	return string(r)
}

// didYouMean returns ` Did you mean "x"?` or "".
func didYouMean(given string, candidates []string) string {
	if s := nearest(given, candidates); s != "" {
		return " Did you mean " + quote(s) + "?"
	}
	return ""
}

// quote puts a name in quotes for a message, and shortens what is no name.
func quote(s string) string {
	const limit = 80
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return `"` + printable(s) + `"`
}

// oneOf joins words for a sentence: "a", "b" or "c".
func oneOf(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	switch len(quoted) {
	case 0:
		return "nothing"
	case 1:
		return quoted[0]
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// withArticle writes a noun with its article.
func withArticle(noun string) string {
	if noun != "" && noun != "user" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// printable replaces what would steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029 || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '\uFFFD'
		}
		return r
	}, s)
}
