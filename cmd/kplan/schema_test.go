package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"kplan/docs/schema"
	"kplan/plan/diff"
)

// schemaOf reads a schema as data.
func schemaOf(t *testing.T, document string) map[string]any {
	t.Helper()
	text, ok := schema.Of(document)
	if !ok {
		t.Fatalf("there is no schema of %s", document)
	}
	data, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return data.(map[string]any)
}

// compiled compiles a schema; strict refuses members that it does not know,
// which readers may not.
func compiled(t *testing.T, document string, strict bool) *jsonschema.Schema {
	t.Helper()
	data := schemaOf(t, document)
	if strict {
		forbidMore(data)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:test", data); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func forbidMore(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["required"].([]any); ok {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			forbidMore(inner)
		}
	case []any:
		for _, inner := range v {
			forbidMore(inner)
		}
	}
}

// Every golden document of the scripts is what its schema says, with nothing in
// it that the schema does not know.
func TestGoldenDocumentsFollowTheirSchemas(t *testing.T) {
	of := map[string]string{
		"apply_json.txtar/done.golden": "apply", "apply_json.txtar/verify.golden": "verify", "diff.txtar/json.golden": "diff",
		"validate.txtar/valid.golden": "validate", "status.txtar/json.golden": "status", "probe_conformance.txtar/json.golden": "probe", "report.txtar/error.golden": "error",
	}
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			name := filepath.Base(script) + "/" + f.Name
			document, known := of[name]
			if !known {
				continue
			}
			held[document] = true
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.Data))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := compiled(t, document, true).Validate(instance); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, document := range schema.Documents() {
		if !held[document] {
			t.Errorf("no golden is held against the schema of %s", document)
		}
	}
}

// A schema refuses what is wrong, and takes what a later version adds.
func TestSchemasRefuseWhatIsWrong(t *testing.T) {
	s := compiled(t, "validate", false)
	for text, want := range map[string]bool{
		`{"format_version":"1.0","valid":true,"diagnostics":[]}`:                                                               true,
		`{"format_version":"1.7","valid":true,"diagnostics":[],"new":1}`:                                                       true,
		`{"format_version":"2.0","valid":true,"diagnostics":[]}`:                                                               false,
		`{"format_version":"1.0","valid":true}`:                                                                                false,
		`{"format_version":"1.0","valid":"yes","diagnostics":[]}`:                                                              false,
		`{"format_version":"1.0","valid":true,"diagnostics":null}`:                                                             false,
		`{"format_version":"1.0","valid":true,"diagnostics":[{"code":"KP1","severity":"bad","summary":"s","detail":"d"}]}`:     false,
		`{"format_version":"1.0","valid":true,"diagnostics":[{"code":"KP1","severity":"warning","summary":"s","detail":"d"}]}`: true,
	} {
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(instance); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The schemas know every member that the documents can have, also those that no
// golden shows, and which may be absent.
func TestSchemasKnowEveryMember(t *testing.T) {
	for document, typ := range map[string]reflect.Type{
		"validate": reflect.TypeFor[validateDoc](), "diff": reflect.TypeFor[diff.Doc](), "apply": reflect.TypeFor[applyDoc](),
		"verify": reflect.TypeFor[verifyDoc](), "status": reflect.TypeFor[statusDoc](), "probe": reflect.TypeFor[probeDoc](), "error": reflect.TypeFor[errorDoc](),
	} {
		root := schemaOf(t, document)
		defs, _ := root["$defs"].(map[string]any)
		m := members{t: t, defs: defs}
		m.compare(document, root, typ)
	}
}

type members struct {
	t    *testing.T
	defs map[string]any
}

func (m members) compare(path string, s map[string]any, typ reflect.Type) {
	if ref, ok := s["$ref"].(string); ok {
		s = m.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if either, ok := s["anyOf"].([]any); ok {
		m.compare(path, either[0].(map[string]any), typ)
		return
	}
	switch typ.Kind() {
	case reflect.Pointer:
		m.compare(path, s, typ.Elem())
	case reflect.Slice:
		items, ok := s["items"].(map[string]any)
		if !ok {
			m.t.Errorf("%s: the schema has no items", path)
			return
		}
		m.compare(path+"[]", items, typ.Elem())
	case reflect.Struct:
		if typ != reflect.TypeFor[time.Time]() {
			m.object(path, s, typ)
		}
	}
}

func (m members) object(path string, s map[string]any, typ reflect.Type) {
	properties, _ := s["properties"].(map[string]any)
	var required, want []string
	for _, r := range s["required"].([]any) {
		required = append(required, r.(string))
	}
	seen := map[string]bool{}
	for _, f := range reflect.VisibleFields(typ) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue // embedded, or not in the document
		}
		seen[name] = true
		if !strings.Contains(opts, "omit") {
			want = append(want, name)
		}
		if of, ok := properties[name].(map[string]any); ok {
			m.compare(path+"."+name, of, f.Type)
		}
	}
	slices.Sort(required)
	slices.Sort(want)
	if d := cmp.Diff(want, required); d != "" {
		m.t.Errorf("%s: what is always there (-document +schema):\n%s", path, d)
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(properties))); d != "" {
		m.t.Errorf("%s: members (-document +schema):\n%s", path, d)
	}
}

// What several schemas define is the same in each.
func TestSharedDefinitionsAreEqual(t *testing.T) {
	first := map[string]string{}
	for _, document := range schema.Documents() {
		defs, _ := schemaOf(t, document)["$defs"].(map[string]any)
		for name, def := range defs {
			text, err := json.Marshal(def)
			if err != nil {
				t.Fatal(err)
			}
			if first[name] == "" {
				first[name] = string(text)
			}
			if d := cmp.Diff(first[name], string(text)); d != "" {
				t.Errorf("%s in %s:\n%s", name, document, d)
			}
		}
	}
}

// scriptConforms holds a document that kplan has written against its schema, as
// it stands: conforms DOCUMENT stdout|FILE
func scriptConforms(ts *testscript.TestScript, args []string) {
	text, ok := schema.Of(args[0])
	if !ok {
		ts.Fatalf("there is no schema of %s", args[0])
	}
	data, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	ts.Check(err)
	forbidMore(data)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ts.Check(c.AddResource("urn:test", data))
	s, err := c.Compile("urn:test")
	ts.Check(err)
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(s.Validate(instance))
}
