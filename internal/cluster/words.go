package cluster

import "unicode"

// Steers reports whether a character could steer a terminal or hide what stands
// beside it, and is not for people: names of groups and clients, and the words of
// brokers and programs, hold anything. A line break is one, too.
func Steers(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}
