package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"kplan/plan/diff"
)

// DiffJSON writes the document, indented, with empty lists instead of null. The
// changes are written one by one: of a large cluster they are tens of megabytes.
func DiffJSON(w io.Writer, doc diff.Doc) error {
	if doc.FormatVersion == "" {
		doc.FormatVersion = diff.FormatVersion
	}
	changes := doc.Changes
	doc.Changes = []diff.Change{}
	if doc.Notes == nil {
		doc.Notes = []diff.Note{}
	}
	if doc.Checks == nil {
		doc.Checks = []diff.Check{}
	}
	if doc.Diagnostics == nil {
		doc.Diagnostics = []diff.Diagnostic{}
	}
	frame, err := indented(doc, "")
	if err != nil {
		return err
	}
	// A key only: inside of a string the quotes are escaped.
	before, after, ok := bytes.Cut(frame, []byte(`"changes": []`))
	if !ok {
		return errors.New("this is a bug in kplan: the diff document has no list of changes")
	}
	out := bufio.NewWriter(w)
	_, _ = out.Write(before) // Flush tells of every failure
	_, _ = out.WriteString(`"changes": [`)
	for i, c := range changes {
		one, err := indented(c, "    ")
		if err != nil {
			return err
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString("\n    ")
		_, _ = out.Write(one)
	}
	if len(changes) > 0 {
		_, _ = out.WriteString("\n  ")
	}
	_ = out.WriteByte(']')
	_, _ = out.Write(after)
	_ = out.WriteByte('\n')
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the diff as JSON: %w", err)
	}
	return nil
}

// indented encodes a value without the last newline.
func indented(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent(prefix, "  ")
	enc.SetEscapeHTML(false) // arrows and comparisons stay readable
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the diff as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
