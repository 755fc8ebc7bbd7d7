package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// documents are the texts that people read.
func documents(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	all := map[string]string{}
	for _, f := range append(files, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = string(text)
	}
	return all
}

// messages are the texts in the program's source, by file.
func messages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					all[path] = append(all[path], text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(all) < 100 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all
}

var (
	quotedCode = regexp.MustCompile("`([^`\n]+)`")
	fenced     = regexp.MustCompile("(?s)```\\w*\n(.*?)```")
	flagWord   = regexp.MustCompile(`(?:^|[\s\[|(])--([a-z][a-z-]+)`)
	command    = regexp.MustCompile(`^(?:\$ )?kplan ([a-z][a-z|\\]*)(.*)`)
	// Commands that kplan knows by name only (design): named anywhere, they mislead.
	inMessages = regexp.MustCompile(`\bkplan (explain|init|fmt|console|rehearse|snapshot|rollback|complete|compare|completion|validate|graph|diff|show|apply|status|verify|probe|mirror|approve|reject|done|set|withdraw|pause|resume|abort|state|lock|unlock|schema|demo|version)\b`)
	ownPath    = regexp.MustCompile(`^\.kplan/[A-Z]+/([a-z.]+)`)
)

// shown are the commands of a document: in code quotes, and on lines of code.
func shown(text string) []string {
	var all []string
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Split(block[1], "\n")...)
	}
	for _, q := range quotedCode.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all = append(all, q[1])
	}
	return all
}

func find(root *cobra.Command, name string) *cobra.Command {
	for _, c := range root.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// flags reports whether a command, or one below it, has the flag.
func flags(c *cobra.Command, name string) bool {
	if c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil || name == "help" {
		return true
	}
	for _, sub := range c.Commands() {
		if flags(sub, name) {
			return true
		}
	}
	return false
}

// Every command, flag and path of kplan's own that documents and messages name is
// there.
func TestWhatIsNamedExists(t *testing.T) {
	root := newRoot(&app{})
	said := messages(t)
	var source strings.Builder
	for file := range said {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	seen := 0
	for file, text := range documents(t) {
		for _, code := range shown(text) {
			if p := ownPath.FindStringSubmatch(code); p != nil && !regexp.MustCompile(`Join\([^()]*"`+regexp.QuoteMeta(p[1])+`"\)`).MatchString(source.String()) {
				t.Errorf("%s: nothing makes %s", file, code)
			}
			m := command.FindStringSubmatch(code)
			if m == nil {
				if strings.HasPrefix(code, "--") {
					for _, f := range flagWord.FindAllStringSubmatch(code, -1) {
						if !flags(root, f[1]) {
							t.Errorf("%s: no command has the flag of %s", file, code)
						}
					}
				}
				continue
			}
			for _, name := range strings.FieldsFunc(m[1], func(r rune) bool { return r == '|' || r == '\\' }) {
				c := find(root, name)
				if c == nil && name != "help" {
					t.Errorf("%s: there is no command of %s", file, code)
					continue
				}
				seen++
				words, _, _ := strings.Cut(m[2], "#")
				for _, f := range flagWord.FindAllStringSubmatch(words, -1) {
					if !flags(c, f[1]) {
						t.Errorf("%s: kplan %s has no flag --%s", file, name, f[1])
					}
				}
			}
		}
	}
	for file, texts := range said {
		for _, text := range texts {
			for _, m := range inMessages.FindAllStringSubmatch(text, -1) {
				seen++
				if find(root, m[1]) == nil && !strings.Contains(text, "not built") {
					t.Errorf("%s: there is no command %q: %s", file, m[0], text)
				}
			}
			if !strings.Contains(text, "kplan") || strings.Contains(text, "kafka-") {
				continue
			}
			for _, f := range flagWord.FindAllStringSubmatch(text, -1) {
				if !flags(root, f[1]) {
					t.Errorf("%s: no command has the flag --%s: %s", file, f[1], text)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d commands were found: the test says little", seen)
	}
}
