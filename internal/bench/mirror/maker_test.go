//go:build bench

package mirrorbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"kplan/internal/kafkatest"
)

var aliases atomic.Int64

// mirrorMaker is MirrorMaker 2 on its own, tuned for throughput, under a name
// that it has not had before. Its heap is what its own start script gives it.
func mirrorMaker(t *testing.T, c *loaded) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	n := aliases.Add(1)
	from, to := fmt.Sprintf("src%d", n), fmt.Sprintf("dst%d", n)
	conf := strings.NewReplacer("TOPIC", c.topic, "FROM", from, "TO", to, "CODEC", c.codec,
		"SOURCE", c.stage.source.Bootstrap(kafkatest.Plaintext)[0], "TARGET", c.stage.target.Bootstrap(kafkatest.Plaintext)[0]).Replace(`
clusters=FROM,TO
FROM.bootstrap.servers=SOURCE
TO.bootstrap.servers=TARGET
FROM->TO.enabled=true
TO->FROM.enabled=false
FROM->TO.topics=TOPIC
replication.policy.class=org.apache.kafka.connect.mirror.IdentityReplicationPolicy
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.replication.factor=1
status.storage.partitions=1
config.storage.replication.factor=1
tasks.max=4
emit.heartbeats.enabled=false
sync.topic.acls.enabled=false
FROM.consumer.auto.offset.reset=earliest
FROM.consumer.max.poll.records=4000
TO.producer.batch.size=262144
TO.producer.linger.ms=20
TO.producer.compression.type=CODEC
`)
	log := `
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
`
	for name, text := range map[string]string{"mm2.properties": conf, "log4j2.properties": log} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("java", "-Xms256m", "-Xmx2g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile="+filepath.Join(dir, "log4j2.properties"), "-cp", kafkatest.MirrorMaker(t),
		"org.apache.kafka.connect.mirror.MirrorMaker", filepath.Join(dir, "mm2.properties"))
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out.Close()
		if text, err := os.ReadFile(out.Name()); err == nil && t.Failed() {
			t.Logf("MirrorMaker:\n%s", text[max(0, len(text)-5000):])
		}
		sweep(t, c.stage.atSource, from, to)
		sweep(t, c.stage.atTarget, from, to)
	})
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// sweep removes MirrorMaker's own topics.
func sweep(t *testing.T, admin *kadm.Client, names ...string) {
	t.Helper()
	all, err := admin.ListTopics(t.Context())
	if err != nil {
		return // the test's context has ended; the brokers end, too
	}
	for topic := range all {
		for _, name := range names {
			if strings.HasPrefix(topic, "mm2-") && strings.Contains(topic, name+".") || strings.HasPrefix(topic, name+".") {
				remove(t, admin, topic)
				break
			}
		}
	}
}
