package plan

import (
	"sort"
	"strings"

	"github.com/agext/levenshtein"
)

// nearest returns the candidate that a typing error most likely stands for, or
// "". Case does not count. Words of less than five letters allow one error, or
// two letters swapped.
func nearest(given string, candidates []string) string {
	best, bestDistance := "", 3
	given = strings.ToLower(given)
	sorted := append([]string(nil), candidates...)
	sort.Strings(sorted)
	for _, c := range sorted {
		d := levenshtein.Distance(given, strings.ToLower(c), nil)
		if d == 2 && min(len(c), len(given)) < 5 && letters(given) != letters(strings.ToLower(c)) {
			continue
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" && len(given) >= 4 {
		// Half a name: "user" for "username".
		for _, c := range sorted {
			if strings.HasPrefix(strings.ToLower(c), given) {
				return c
			}
		}
	}
	return best
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

// printable replaces what would steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029 || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '\uFFFD'
		}
		return r
	}, s)
}
