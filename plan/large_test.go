package plan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeLarge writes a plan of many files and topics, as a large team keeps one:
// the migration with settings for each topic, and a file per service with the
// topics that it produces. It returns the directory.
func writeLarge(t testing.TB, files, topics int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name+PlanSuffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("clusters", `cluster "old" { bootstrap = ["a.old.example:9092"] }
cluster "new" { bootstrap = ["a.new.example:9092"] }
variable "size" { default = "1MiB" }
`)
	var m strings.Builder
	m.WriteString(`migration "large" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  groups { include = ["group-*"] }
  topics {
    include = ["area-*"]
`)
	for i := range topics {
		fmt.Fprintf(&m, "    topic %q {\n      config = { \"retention.ms\" = duration(\"%dd\"), \"max.message.bytes\" = bytes(var.size) }\n    }\n", largeTopic(i), 1+i%14)
	}
	m.WriteString("  }\n")
	services := files - 2
	for i := range services {
		var produced, consumed []string
		for t := i; t < topics; t += services {
			produced = append(produced, fmt.Sprintf("%q", largeTopic(t)))
			if i > 0 {
				consumed = append(consumed, fmt.Sprintf("%q", largeTopic(t-1)))
			}
		}
		write(fmt.Sprintf("service-%04d", i), fmt.Sprintf("locals {\n  produced_%04d = [\n    %s,\n  ]\n}\n", i, strings.Join(produced, ",\n    ")))
		groups := ""
		if i > 0 {
			groups = fmt.Sprintf("\"group-%04d\"", i)
		}
		fmt.Fprintf(&m, `
  service "service-%04d" {
    produces = local.produced_%04d
    consumes = [%s]
    groups   = [%s]
    switch "manual" {
      stop  = "Stop it."
      start = "Start it with ${side.bootstrap}."
    }
  }
`, i, i, strings.Join(consumed, ", "), groups)
	}
	m.WriteString("}\n")
	write("migration", m.String())
	return dir
}

func largeTopic(i int) string { return fmt.Sprintf("area-%02d.topic-%05d", i%50, i) }

// literals puts every topic by its name into include.
func literals(text string) string {
	var names []string
	for i := range 5000 {
		names = append(names, fmt.Sprintf("%q", largeTopic(i)))
	}
	list := "include = [" + strings.Join(names, ", ") + "]"
	return strings.ReplaceAll(strings.ReplaceAll(text, "include = [\"area-*\"]", list), "include = [\"aera-*\"]", list)
}

// BenchmarkLoadLarge is the part of kplan validate that grows with the plan:
// 200 files and 5,000 topics with settings. "wrong" misspells a word in each
// topic and names in services.
func BenchmarkLoadLarge(b *testing.B) {
	for name, edit := range map[string]func(string) string{
		"right": func(text string) string { return text },
		"wrong": func(text string) string {
			text = strings.ReplaceAll(text, "\"retention.ms\"", "\"retentoin.ms\"")
			text = strings.ReplaceAll(text, "consumes = [\"area", "consumes = [\"arae")
			return strings.ReplaceAll(text, "produces =", "prodcues =")
		},
		"literals": literals,
		"strangers": func(text string) string { // and none of the services' topics is among them
			return strings.ReplaceAll(literals(strings.ReplaceAll(text, "area-", "aera-")), "topic \"aera-", "topic \"area-")
		},
	} {
		b.Run(name, func(b *testing.B) {
			dir := writeLarge(b, 200, 5000)
			path := filepath.Join(dir, "migration"+PlanSuffix)
			text, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				loaded := Load(Options{Dir: dir, Version: "1.0.0"})
				if (loaded.Plan == nil) != (name == "wrong" || name == "strangers") {
					b.Fatalf("%d diagnostics, the first: %s", len(loaded.Diags), loaded.Diags[0].Detail)
				}
				if loaded.Plan != nil {
					loaded.Plan.Hash()
				}
				if err := WriteDiagnostics(io.Discard, loaded.Sources, loaded.Diags, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
