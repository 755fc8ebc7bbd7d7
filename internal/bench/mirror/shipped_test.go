//go:build bench

package mirrorbench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"kplan/executor/state"
	"kplan/internal/kafkatest"
	"kplan/mirror"
)

// dirEnv is the folder of this run.
const dirEnv = "KPLAN_BENCH_DIR"

// built makes kplan as it ships, once. KPLAN_BENCH_BINARY names another one,
// to compare with.
var built = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("KPLAN_BENCH_BINARY"); given != "" {
		return given, nil
	}
	path := filepath.Join(os.Getenv(dirEnv), "kplan")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", path, "kplan/cmd/kplan").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building kplan: %w\n%s", err, out)
	}
	return path, nil
})

// shipped is `kplan mirror`: checksums, offset map, metrics and state are on.
func (c *loaded) shipped(t *testing.T, target string) *exec.Cmd {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	plan := fmt.Sprintf(`
cluster "old" { bootstrap = [%q] }
cluster "new" { bootstrap = [%q] }
migration "bench" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = [%q] }
  mirror { run = "worker" }
}
`, c.stage.source.Bootstrap(kafkatest.Plaintext)[0], target, c.topic)
	if err := os.WriteFile(filepath.Join(dir, "bench.kplan.hcl"), []byte(plan), 0o644); err != nil {
		t.Fatal(err)
	}
	shelf := state.NewFileShelf(filepath.Join(dir, ".kplan", "bench")) // apply asks for the copy, and looks first whether it may begin
	_, err = mirror.Direct(t.Context(), shelf, map[string]mirror.Way{c.topic: mirror.Forward})
	if err := errors.Join(err, shelf.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "mirror", "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KPLAN_NO_INPUT=1", "NO_COLOR=1")
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	t.Cleanup(func() {
		out.Close()
		if text, err := os.ReadFile(out.Name()); err == nil && t.Failed() {
			t.Logf("kplan mirror:\n%s", text[max(0, len(text)-5000):])
		}
	})
	return cmd
}
