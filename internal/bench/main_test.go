//go:build bench

// Package bench measures kplan at size: the binary that ships, against clusters
// in another process, so that the memory it is charged with is its own. `make
// bench` runs it; docs/benchmarks.md holds what came out.
//
// All of it is behind the build tag "bench": nothing here belongs to kplan.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kplan/internal/kafkatest"
)

// brokers are the real ones.
var brokers kafkatest.Pool

// serveEnv makes the test binary a process that holds embedded clusters.
const serveEnv = "KPLAN_BENCH_SERVE"

func TestMain(m *testing.M) {
	if spec := os.Getenv(serveEnv); spec != "" {
		if err := serve(spec); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	code := brokers.Main(m)
	results.print(os.Stdout)
	if results.missed() {
		code = max(code, 1)
	}
	os.Exit(code)
}

// binary builds kplan as it ships. KPLAN_BENCH_BINARY names another one, to
// compare with.
func binary(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("KPLAN_BENCH_BINARY"); given != "" {
		return given
	}
	path := filepath.Join(t.TempDir(), "kplan")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "kplan/cmd/kplan")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building kplan: %v\n%s", err, out)
	}
	return path
}
