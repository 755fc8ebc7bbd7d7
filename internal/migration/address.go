package migration

import "strings"

// Resolve finds among the addresses that are known the one that a person means:
// as kplan prints it, or as a shell hands it over that took the quotation marks
// for its own.
func Resolve(text string, known []string) (string, bool) {
	found := ""
	for _, address := range known {
		switch {
		case address == text:
			return address, true
		case unquoted(address) != text && unquoted(address) != unquoted(text):
		case found != "":
			return "", false // two are meant
		default:
			found = address
		}
	}
	return found, found != ""
}

// unquoted is an address without quotation marks, and what they need.
func unquoted(address string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `"`, "").Replace(address)
}
