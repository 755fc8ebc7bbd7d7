package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed access fenced mirrored production-first production-later two-listeners
var files embed.FS

// Names are the examples that the demo carries out: one for each scheme. Write
// knows "two-listeners", "fenced" and "access" as well, whose clusters the demo
// does not have, and "mirrored".
func Names() []string { return []string{"production-first", "production-later"} }

// Write copies an example into a directory, its programs executable.
func Write(name, dir string) error {
	return fs.WalkDir(files, name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading example %q: %w", name, err)
		}
		rel, err := filepath.Rel(name, path)
		if err != nil {
			return fmt.Errorf("reading example %q: %w", name, err)
		}
		to := filepath.Join(dir, rel)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := files.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading example %q: %w", name, err)
		}
		mode := os.FileMode(0o644)
		if filepath.Base(filepath.Dir(path)) == "ops" {
			mode = 0o755 // an embedded file has no mode of its own
		}
		return os.WriteFile(to, data, mode)
	})
}
