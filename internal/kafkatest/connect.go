package kafkatest

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// MirrorMaker returns the class path of MirrorMaker 2 of Apache Kafka 4.3.0,
// whose main class is org.apache.kafka.connect.mirror.MirrorMaker. The jars are
// fetched the first time.
func MirrorMaker(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if err := needProgram(ctx, t.Logf, "java"); err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	jars, err := fetchedJars(ctx, t.Logf, "connect-4.3.0")
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	return filepath.Join(jars, "*")
}
