package kafkatest

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
)

// StartForOrphanTest starts a broker, tells its process id and data folder, and
// waits to be killed.
func StartForOrphanTest(w io.Writer) int {
	quiet := func(string, ...any) {}
	c, err := start(context.Background(), quiet, Options{Version: V4_3_0})
	if err != nil {
		fmt.Fprintln(w, err)
		return 1
	}
	fmt.Fprintf(w, "broker %d in %s\n", c.nodes[0].proc.cmd.Process.Pid, c.dir)
	select {}
}

// SweepForTest removes what killed tests left next to dir.
func SweepForTest(dir string) { sweep(filepath.Dir(dir)) }
