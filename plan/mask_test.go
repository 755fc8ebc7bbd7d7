package plan

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

const sasl = `cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = "visible"
%s
  }
}
`

// hiddenPlans are plans with a secret, "canary", in the wrong place. What is
// shown of them must not hold it, whichever line a diagnostic is about. Each
// has the word "visible" on a line of its own that must be shown, so that
// hiding everything is no way to pass.
func hiddenPlans() map[string]string {
	in := func(lines string) string { return fmt.Sprintf(sasl, lines) }
	return map[string]string{
		"literal":          in(`    password  = "canary"`),
		"trailing":         in(`    password  = env("X") # not "canary" any more`),
		"comment":          in("    # password = \"canary\"\n    password = env(\"X\")"),
		"template":         in(`    password  = "can${"canary"}"`),
		"bare word":        in(`    password  = canary`),
		"unknown":          in(`    password  = var.canary`),
		"traversal":        in(`    password  = foo.canary`),
		"call":             in(`    password  = canary("x")`),
		"as a name":        in(`    password  = env("canary!")`),
		"failing call":     in(`    password  = parseint("canary", 10)`),
		"number":           in(`    password  = "canary" + 1`),
		"list":             in("    password  = [\n      \"canary\",\n      \"canary\",\n    ]"),
		"join":             in("    password  = join(\"\", [\n      \"canary\",\n    ])"),
		"heredoc":          in("    password  = <<EOT\ncanary\ncanary\nEOT"),
		"heredoc nested":   in("    password  = <<-EOT\n      canary ${nope}\n      canary\n    EOT"),
		"misspelt":         in(`    pasword  = "canary"`),
		"misspelt more":    in(`    Passwrod  = "canary"`),
		"other word":       in(`    passphrase  = "canary"`),
		"as a block":       in(`    password "canary" {}`),
		"as a block two":   in("    password {\n      secret = \"canary\"\n    }"),
		"object":           "locals {\n visible = 1\n x = { password = \"canary\", \"password\" = \"canary\" }\n y = { \"password\" : \"canary\" }\n}",
		"object heredoc":   "locals {\n visible = 1\n x = {\n password = <<EOT\ncanary\nEOT\n }\n}",
		"jaas":             "locals {\n visible = 1\n x = { \"sasl.jaas.config\" = \"x required password=\\\"canary\\\";\" }\n}",
		"same line":        "cluster \"x\" {\n  visible = 1\n  sasl { password = \"canary\" }\n}",
		"default":          "variable \"pw\" {\n  default = \"canary\"\n}\n" + in(`    password = var.pw`),
		"default line":     "variable \"pw\" { default = \"canary\" }\n" + in(`    password = var.pw`),
		"default index":    "variable \"pw\" { default = \"canary\" }\n" + in(`    password = var["pw"]`),
		"default misspelt": "variable \"pw\" { defualt = \"canary\" }\n" + in(`    password = var.pw`),
		"sensitive":        "variable \"x\" {\n  sensitive = true\n  default = \"canary\"\n}\n" + in(`    password = env("X")`),
		"sensitive odd":    "variable \"x\" {\n  sensitive = ture\n  default = \"canary\"\n}\n" + in(`    password = env("X")`),
		"locals":           "locals { first = \"canary\" }\nlocals {\n  second = \"x${local.first}\"\n}\n" + in(`    password = local.second`),
		"locals heredoc":   "locals {\n  a = <<E\ncanary\ncanary\nE\n}\n" + in(`    password = local.a`),
		"elsewhere":        "state \"file\" { path = \"canary-long\" }\n" + in(`    password = "canary-long"`),
		"wrong place":      "visible = 1\npassword = \"canary\"",

		"url":            "migration \"visible\" {\n  notify \"http\" { url = \"https://canary\" }\n}",
		"url local":      "locals {\n  a = \"https://canary\"\n}\nmigration \"visible\" {\n  notify \"http\" { url = local.a }\n}",
		"headers":        "migration \"visible\" {\n  notify \"http\" {\n    headers = {\n      X = \"canary\"\n    }\n  }\n}",
		"broken url":     "migration \"visible\" {\n  notify \"http\" { url = \"https://canary\n",
		"broken headers": "migration \"visible\" {\n  notify \"http\" {\n  headers = {\n X = \"canary\"\n",

		// These do not parse.
		"broken literal":    in(`    password = "canary"`) + "}",
		"broken same line":  in(`    sasl { username = "visible" password = "canary" }`),
		"broken line":       in(`    username = "u" password = "canary"`),
		"broken unquoted":   in(`    password = canary!canary`),
		"broken open quote": in(`    password = "canary`),
		"broken two lines":  in("    password = \"canary\ncanary\""),
		"broken operator":   in("    password = \"x\" +\n      \"canary\""),
		"broken next line":  in("    password =\n      \"canary\""),
		"broken strings":    in("    password = \"x\"\n      \"canary\""),
		"broken heredoc":    in("    password = <<EOT\ncanary\ncanary\n    EOTX"),
		"broken in heredoc": in("    password = <<EOT\ncanary ${\ncanary\nEOT"),
		"broken bracket":    in("    password = [\"x\",\n      \"canary\""),
		"broken call":       in("    password = join(\"\", [\"canary\", ]\n \"canary\""),
		"broken single":     in("    password = 'canary'"),
		"broken twice":      in("    password = env(\"X\")\n    password = \"canary\""),
		"broken colon":      in(`    password: canary`),
		"broken misspelt":   in(`    pasword = "canary" "x"`),
		"broken escape":     in(`    password = "\canary"`),
		"broken template":   in(`    password = "${canary"`),
		"broken nothing":    in(`    password "canary"`),
		"broken default":    "variable \"pw\" { default = \"canary\" }\n" + in(`    password = var.pw`) + "}",
		"broken locals":     "locals {\n a = \"canary\"\n}\n" + in(`    password = local.a`) + "}",
		"broken afterwards": in(`    password = "canary"`) + "\ncluster \"x\" {",
		"broken encoding":   in("    password = \"canary\xff\""),
		"broken windows":    strings.ReplaceAll(in("    password = \"canary\"\n }"), "\n", "\r\n"),
	}
}

func TestHidden(t *testing.T) {
	for name, text := range hiddenPlans() {
		t.Run(name, func(t *testing.T) {
			loaded := Load(fixtureOptions(t, "x.kplan.hcl", []byte(text)))
			if strings.HasPrefix(name, "broken") != loaded.Sources.broken() {
				t.Fatalf("broken is %v:\n%s", loaded.Sources.broken(), rendered(t, loaded, false))
			}
			checkNoCanary(t, loaded)
			shown := everyLine(t, loaded)
			if strings.Contains(shown, "canary") {
				t.Errorf("a snippet shows the secret:\n%s", shown)
			}
			if strings.Contains(text, "visible") && !strings.Contains(shown, "visible") {
				t.Errorf("too much is hidden:\n%s", shown)
			}
		})
	}
}

// everyLine renders a diagnostic about each line of each file, and one about
// each file as a whole.
func everyLine(t *testing.T, loaded *Loaded) string {
	t.Helper()
	var diags hcl.Diagnostics
	for name, f := range loaded.Sources.files {
		at := 0
		var whole hcl.Range
		for i, line := range bytes.SplitAfter(f.text, []byte("\n")) {
			rng := hcl.Range{
				Filename: name,
				Start:    hcl.Pos{Line: i + 1, Column: 1, Byte: at},
				End:      hcl.Pos{Line: i + 1, Column: len(line), Byte: at + len(line)},
			}
			at += len(line)
			diags = append(diags, NewDiagnostic("KP2001", hcl.DiagError, "x", &rng))
			if i == 0 {
				whole = rng
			}
			whole.End = rng.End
		}
		diags = append(diags, NewDiagnostic("KP2001", hcl.DiagError, "x", &whole))
	}
	var out bytes.Buffer
	if err := WriteDiagnostics(&out, loaded.Sources, diags, false); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestHiddenValues puts secrets into files of values and onto the command
// line.
func TestHiddenValues(t *testing.T) {
	clusters := "variable \"pw\" { type = string }\nvariable \"other\" { default = 1 }\n" + fmt.Sprintf(sasl, "    password = var.pw")
	sensitive := strings.Replace(clusters, "type = string", "sensitive = true", 1)
	cases := map[string]struct{ plan, values string }{
		"plain":          {clusters, `pw = "canary"`},
		"misspelt":       {clusters, "pww = \"canary\""},
		"heredoc":        {clusters, "pw = <<E\ncanary\nE\n"},
		"bare word":      {clusters, `pw = canary`},
		"sensitive":      {sensitive, `pw = "canary"`},
		"broken":         {clusters, "pw = \"canary\"\nother = = \"canary\n"},
		"broken heredoc": {clusters, "pw = <<E\ncanary\ncanary = 1\n"},
		"broken plan":    {clusters + "}", "pw = \"canary\"\nother = canary"},
		"broken plan 2":  {"cluster \"x\" {", "pw = \"canary\"\nother = [\n\"canary\",\n]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			opts := fixtureOptions(t, "x.kplan.hcl", []byte(c.plan))
			path := filepath.Join(opts.Dir, "x"+AutoSuffix)
			if err := os.WriteFile(path, []byte(c.values), 0o600); err != nil {
				t.Fatal(err)
			}
			loaded := Load(opts)
			checkNoCanary(t, loaded)
			if shown := everyLine(t, loaded); strings.Contains(shown, "canary") {
				t.Errorf("a snippet shows the secret:\n%s", shown)
			}
		})
	}
	// The same value in an address, where the message would quote it.
	opts := fixtureOptions(t, "x.kplan.hcl", []byte(clusters+"cluster \"b\" { bootstrap = [var.pw] }\n"))
	opts.Vars["pw"] = "canary-value"
	checkNoCanary(t, Load(opts))
	environ := opts.Environ
	opts.Vars = nil
	opts.Environ = func(k string) (string, bool) {
		if k == "KPLAN_VAR_pw" {
			return "canary-value", true
		}
		return environ(k)
	}
	loaded := Load(opts)
	checkNoCanary(t, loaded)
	if !strings.Contains(rendered(t, loaded, false), `"(sensitive)" is not an address`) {
		t.Errorf("the address is not reported as expected:\n%s", rendered(t, loaded, false))
	}
}
