// Package schema holds the JSON Schemas (draft 2020-12) of the documents that
// kplan writes with --json, as they are published.
//
// Each stands for itself: definitions that several documents share are repeated
// in each, and a test holds them equal. A document may have more members than
// its schema knows: within a major format version they are only added.
package schema

import "embed"

//go:embed *.schema.json
var files embed.FS // a variable by the rules of embed; nothing writes it

// Documents returns the names of the documents, as a fresh slice. "error" is
// what every command writes that failed before it had a document of its own.
func Documents() []string {
	return []string{"validate", "diff", "apply", "verify", "probe", "status", "error"}
}

// Of returns the schema of a document; ok is false when there is none of that
// name.
func Of(document string) (text []byte, ok bool) {
	text, err := files.ReadFile(document + ".schema.json")
	return text, err == nil
}
