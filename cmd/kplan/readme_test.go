package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kplan/internal/embedded/certs"
)

// The plan that the README shows is valid as it stands.
func TestReadmePlanIsValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```hcl\n")
	plan, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no plan")
	}
	dir := t.TempDir()
	ca, err := certs.NewAuthority("readme")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"readme.kplan.hcl": plan, "tls/new-ca.pem": string(ca.PEM()), "ops/shop": "#!/bin/sh\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(built().kplan, "-C", dir, "validate")
	cmd.Env = append(os.Environ(), "NEW_KAFKA_PASSWORD=not-in-the-readme")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("kplan validate: %v\n%s", err, out)
	}
}

// What docs/operating.md shows of the language is valid as it stands.
func TestOperatingSnippetsAreValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(snippets) < 3 {
		t.Fatalf("%d snippets", len(snippets))
	}
	state, inside := "", ""
	for _, s := range snippets {
		if strings.HasPrefix(s[1], "state ") {
			_, state, _ = strings.Cut(s[1], "\n") // one of the two
			continue
		}
		inside += s[1]
	}
	dir := t.TempDir()
	plan := state + `
cluster "old" { bootstrap = ["old.example:9092"] }
cluster "new" { bootstrap = ["new.example:9092"] }
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
` + inside + "}\n"
	if err := os.Mkdir(filepath.Join(dir, "ops"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"x.kplan.hcl": plan, "ops/page": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(built().kplan, "-C", dir, "validate")
	cmd.Env = append(os.Environ(), "CHAT_HOOK=https://chat.example/hook", "ORDERS_PASSWORD=not-in-the-docs")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("kplan validate: %v\n%s\n%s", err, out, plan)
	}
}

// Every path and Go symbol that ARCHITECTURE.md names in code quotes exists.
func TestArchitectureNamesWhatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	source := allSource(t, root)
	for _, quoted := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		name := quoted[1]
		switch {
		case strings.ContainsAny(name, "*/ ") || strings.HasSuffix(name, ".go"):
			if strings.ContainsAny(name, " ") || strings.HasPrefix(name, ".kplan") {
				continue // a command, or a path of a user's directory
			}
			if found, err := filepath.Glob(filepath.Join(root, name)); err != nil || len(found) == 0 && !strings.Contains(source, name) {
				t.Errorf("%s is not in the tree", name)
			}
		default:
			last := name[strings.LastIndexByte(name, '.')+1:]
			if last = strings.TrimSuffix(last, "()"); !strings.Contains(source, last) {
				t.Errorf("nothing is called %s", name)
			}
		}
	}
}

func allSource(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Every test and script that docs/semantics.md cites exists.
func TestSemanticsCitesWhatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "semantics.md"))
	if err != nil {
		t.Fatal(err)
	}
	source := allSource(t, root)
	for _, cited := range regexp.MustCompile("`(Test\\w+|\\w+\\.txtar)`").FindAllStringSubmatch(string(text), -1) {
		name := cited[1]
		if script, ok := strings.CutSuffix(name, ".txtar"); ok {
			if _, err := os.Stat(filepath.Join("testdata", "script", script+".txtar")); err != nil {
				t.Error(err)
			}
		} else if !strings.Contains(source, "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
}
