package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kplan/internal/embedded"
	"kplan/internal/kafkatest"
	"kplan/plan/diff"
)

// surveyed is a plan of which only the checks are looked at.
type surveyed struct {
	t   *testing.T
	dir string
}

// survey lays out the plan of one topic, orders.events, with a capacity block.
func survey(t *testing.T, source, target []string, capacity string) surveyed {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "plan"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "ops", "service"), 0o755); err != nil {
		t.Fatal(err)
	}
	list := func(of []string) string { return `["` + strings.Join(of, `", "`) + `"]` }
	text := fmt.Sprintf("cluster \"old\" { bootstrap = %s }\ncluster \"new\" {\n  bootstrap = %s\n  capacity {\n    %s\n  }\n}\n", list(source), list(target), capacity)
	if err := os.WriteFile(filepath.Join(dir, "clusters.kplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return surveyed{t, dir}
}

// check returns the first answer of a check. What passes is not told.
func (s surveyed) check(name string) diff.Check {
	s.t.Helper()
	cmd := exec.Command(built().kplan, "verify", "--json")
	cmd.Dir = s.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is that of other checks as well
	var doc verifyDoc
	if err := json.Unmarshal(stdout.Bytes(), &doc); err != nil {
		s.t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	for _, c := range doc.Checks {
		if c.Name == name {
			return c
		}
	}
	if len(doc.Checks) == 0 {
		s.t.Fatalf("nothing was asked:\n%s%s", &stdout, &stderr)
	}
	return diff.Check{Verdict: diff.Pass}
}

func (s surveyed) expect(name string, verdict diff.Verdict, saw string) {
	s.t.Helper()
	got := s.check(name)
	s.t.Logf("%s: %s, %s", name, got.Verdict, got.Saw)
	if got.Verdict != verdict || !strings.Contains(got.Saw, saw) {
		s.t.Errorf("%s: %s, %q, want %s with %q", name, got.Verdict, got.Saw, verdict, saw)
	}
}

// seeded is an embedded source with the topic and so many bytes in it.
func seeded(t *testing.T, size int) []string {
	t.Helper()
	c, err := embedded.Start(embedded.Options{Topics: map[string]int32{"orders.events": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	conf := sarama.NewConfig()
	conf.Producer.Return.Successes = true
	p, err := sarama.NewSyncProducer(c.Bootstrap(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }() // everything was acknowledged
	value := bytes.Repeat([]byte("x"), 512<<10)
	for range size / len(value) {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "orders.events", Value: sarama.ByteEncoder(value)}); err != nil {
			t.Fatal(err)
		}
	}
	return c.Bootstrap()
}

// Three brokers in two racks where three are asked; and a topic whose replicas
// share a rack though there are enough.
func TestRacksOnRealBrokers(t *testing.T) {
	t.Parallel()
	c := brokers.Shared(t, kafkatest.Guarded(kafkatest.V4_3_0, 3)) // its racks: zone-a twice, zone-b
	target := c.Bootstrap(kafkatest.Plaintext)
	source := seeded(t, 1<<20)
	survey(t, source, target, "racks = 3").expect("capacity.racks", diff.Fail, "2 racks: zone-a, zone-b")
	two := survey(t, source, target, "racks = 2")
	two.expect("capacity.racks", diff.Pass, "")
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin(target, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }() // it has done its part
	create := func(replicas ...int32) {
		t.Helper()
		if err := admin.CreateTopic("orders.events", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: replicas}}, false); err != nil {
			t.Fatal(err)
		}
	}
	create(1, 2)
	two.expect("capacity.replicas", diff.Fail, "orders.events")
	if err := admin.DeleteTopic("orders.events"); err != nil {
		t.Fatal(err)
	}
	create(2, 3)
	two.expect("capacity.replicas", diff.Pass, "")
}

// A broker whose log directory is a small file system tells how little is free.
// Where this machine allows no mount, the plan declares the same.
func TestDiskNearlyFullOnRealBrokers(t *testing.T) {
	t.Parallel()
	const disk, data = 64 << 20, 16 << 20 // bytes
	source := seeded(t, data)
	dir := t.TempDir()
	o := kafkatest.Options{Version: kafkatest.V4_3_0}
	mounted := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", disk), "kplan-test", dir).Run() == nil
	if mounted {
		t.Cleanup(func() { // after the broker has ended
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("unmounting: %v\n%s", err, out)
			}
		})
		o.ExtraProperties = map[string]string{"log.dirs": filepath.Join(dir, "log")}
	}
	c := kafkatest.Start(t, o)
	target := c.Bootstrap(kafkatest.Plaintext)
	if !mounted {
		t.Log("this machine allows no mount: the plan declares the disk")
		survey(t, source, target, fmt.Sprintf("disk_bytes = %d", data)).expect("capacity.disk", diff.Fail, "the plan declares 16.0 MiB")
		return
	}
	s := survey(t, source, target, "headroom = 1.2")
	s.expect("capacity.disk", diff.Pass, "")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, disk-data), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect("capacity.disk", diff.Fail, "one replica of the selected topics has 16.0 MiB")
}
