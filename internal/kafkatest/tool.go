package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// ACLTool writes Kafka's own kafka-acls of the cluster's version into a
// directory of the test, and returns that directory: for PATH.
func (c *Cluster) ACLTool(t testing.TB) string {
	t.Helper()
	class := "org.apache.kafka.tools.AclCommand"
	if !c.Version().kraft() {
		class = "kafka.admin.AclCommand"
	}
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec java -Xmx256m -XX:TieredStopAtLevel=1 -cp '%s' %s \"$@\"\n", c.jvm.classPath, class)
	if err := os.WriteFile(filepath.Join(dir, "kafka-acls"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
