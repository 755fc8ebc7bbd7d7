package report

import (
	"encoding/json"
	"fmt"
	"io"

	"kplan/plan/diff"
)

// DiffJSON writes the document, indented, with empty lists instead of null.
func DiffJSON(w io.Writer, doc diff.Doc) error {
	if doc.FormatVersion == "" {
		doc.FormatVersion = diff.FormatVersion
	}
	if doc.Changes == nil {
		doc.Changes = []diff.Change{}
	}
	if doc.Checks == nil {
		doc.Checks = []diff.Check{}
	}
	if doc.Diagnostics == nil {
		doc.Diagnostics = []diff.Diagnostic{}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false) // arrows and comparisons stay readable
	if err := out.Encode(doc); err != nil {
		return fmt.Errorf("writing the diff as JSON: %w", err)
	}
	return nil
}
