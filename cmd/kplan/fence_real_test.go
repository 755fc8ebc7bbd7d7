package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/internal/migration"
	"kplan/internal/workload"
	"kplan/plan"
)

// fencedCluster is a source with an authorizer on which every service logs in by
// itself; with everyone, whoever no rule is about is let in.
type fencedCluster struct {
	*kafkatest.Cluster
	everyone bool
	rules    *kafka.Client // as a super user
}

func newFencedCluster(t *testing.T, v kafkatest.Version, nodes int, everyone bool) fencedCluster {
	t.Helper()
	o := kafkatest.Guarded(v, nodes)
	if everyone {
		o.ExtraProperties = map[string]string{"allow.everyone.if.no.acl.found": "true"}
	}
	c := brokers.Shared(t, o)
	ep, err := endpoint.Own(".", &plan.Cluster{Name: "source", Listener: plan.Listener{Bootstrap: c.Bootstrap(kafkatest.Plaintext)}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kafka.Open(t.Context(), ep, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return fencedCluster{Cluster: c, everyone: everyone, rules: client}
}

func (c fencedCluster) login(name string) workload.SASL {
	return workload.SASL{Mechanism: "SCRAM-SHA-512", Username: name, Password: saslPassword}
}

// allow lets the services do what they do, and an audit write along.
func (c fencedCluster) allow(t *testing.T, name string) {
	t.Helper()
	if c.everyone {
		return
	}
	rule := func(user, resource, of, operation string) cluster.ACL {
		return cluster.ACL{Resource: resource, Name: of, Pattern: cluster.Literal, Principal: "User:" + user, Host: "*", Operation: operation, Permission: cluster.Allow}
	}
	refused, err := c.rules.CreateACLs(t.Context(), []cluster.ACL{
		rule("shop", "topic", name+".events", "write"), rule("shop", "cluster", cluster.ClusterName, "idempotent_write"),
		rule("pricing", "topic", name+".events", "read"), rule("pricing", "group", name+"-pricing", "read"),
		rule("pricing", "topic", name+".priced", "write"), rule("pricing", "cluster", cluster.ClusterName, "idempotent_write"),
		rule("billing", "topic", name+".priced", "read"), rule("billing", "group", name+"-billing", "read"),
		rule("audit", "topic", name+".events", "write"), rule("audit", "cluster", cluster.ClusterName, "idempotent_write"),
	})
	if err != nil || len(refused) > 0 {
		t.Fatalf("%v %v", err, refused)
	}
}

// standing are the rules about a topic, in words.
func (c fencedCluster) standing(t *testing.T, topic, permission string) []string {
	t.Helper()
	var all []string
	ids, err := c.rules.BrokerIDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		rules, err := c.rules.ACLsOn(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var here []string
		for _, a := range rules {
			if a.Resource == "topic" && a.Name == topic && (permission == "" || a.Permission == permission) {
				here = append(here, a.String())
			}
		}
		if i > 0 && !slices.Equal(here, all) {
			t.Errorf("broker %d has the rules %v, the one before %v", id, here, all)
		}
		all = here
	}
	return all
}

// write writes one record to each partition, as a stray instance would, and
// returns how many were taken and the last refusal.
func (c fencedCluster) write(t *testing.T, user, topic string, partitions int) (taken int, refusal error) {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	conf.ClientID = "stray"
	conf.Producer.Return.Successes = true
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.Retry.Max = 0
	conf.Net.TLS.Enable, conf.Net.TLS.Config = true, &tls.Config{RootCAs: c.Authority().Pool(), MinVersion: tls.VersionTLS12}
	conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, user, saslPassword
	conf.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	producer, err := sarama.NewSyncProducer(c.Bootstrap(kafkatest.SASLTLS), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }() // a test's writer has nothing left to flush
	for p := range partitions {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: int32(p), Value: sarama.StringEncoder("stray")})
		if err == nil {
			taken++
			continue
		}
		refusal = err
	}
	return taken, refusal
}

// fencedScenario is the example with the fence; the shop's start on the target
// fails while the file broken is there, and waits for the file go.
func fencedScenario(t *testing.T, c fencedCluster, name string) *scenario {
	t.Helper()
	c.allow(t, name)
	ca := c.CAFile(t)
	target := real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.SASLTLS)
	s := newScenario(t, scenarioOptions{
		example: "fenced", name: name, rate: 100,
		source: end{conn: workload.Connection{
			Bootstrap: c.Bootstrap(kafkatest.SASLTLS), TLS: &workload.TLS{CAFile: ca},
			SASL: &workload.SASL{Mechanism: "PLAIN", Username: saslUser, Password: saslPassword},
		}},
		target: end{conn: target.conn},
		logins: map[string]workload.SASL{"shop": c.login("shop"), "pricing": c.login("pricing"), "billing": c.login("billing")},
		plan: func(text string) string {
			// A second of quiet, and a target with one broker and one user.
			text = strings.Replace(text, `drain_timeout = "10m"`, "drain_timeout = \"10m\"\n    quiet_for = \"1s\"", 1)
			text = strings.Replace(text, "  groups {\n", "  waive \"users.parity\" {\n    reason = \"a test\"\n  }\n  waive \"capacity.brokers\" {\n    reason = \"a test\"\n  }\n  groups {\n", 1)
			return strings.Replace(text, `["ops/service", "start"]`, `["ops/slow", "start"]`, 1)
		},
	})
	values := fmt.Sprintf("old_ca   = %q\nnew_ca   = %q\nuser     = %q\neveryone = %v\n", ca, target.conn.TLS.CAFile, saslUser, c.everyone)
	if err := os.WriteFile(filepath.Join(s.stage.PlanDir, "test.auto.kpvars.hcl"), []byte(values), 0o644); err != nil {
		t.Fatal(err)
	}
	slow := "#!/bin/sh\nif [ \"$KPLAN_SIDE\" = target ]; then\n  [ -e broken ] && exit 1\n  while ! [ -e go ]; do sleep 0.05; done\nfi\nexec ops/service start\n"
	if err := os.WriteFile(filepath.Join(s.stage.PlanDir, "ops", "slow"), []byte(slow), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scenario) touch(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.stage.PlanDir, name), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// behindTheBoundary applies, and calls do when the boundary of the events is
// drawn and the shop has not been started on the target yet.
func (s *scenario) behindTheBoundary(name string, do func(), args ...string) outcome {
	s.t.Helper()
	ended := make(chan outcome, 1)
	go func() { ended <- s.kplan(nil, append([]string{"apply", "--yes"}, args...)...) }()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	address := fmt.Sprintf("switch.topic[%q].boundary", name+".events")
	for {
		var doc statusDoc
		if got := s.kplan(nil, "status", "--json"); got.code == exitDone {
			if err := json.Unmarshal([]byte(got.output), &doc); err != nil {
				s.t.Fatal(err)
			}
		}
		if slices.ContainsFunc(doc.Steps, func(step migration.StatusStep) bool { return step.Address == address && step.Status == "done" }) {
			break
		}
		select {
		case got := <-ended:
			s.t.Fatalf("kplan apply ended early, with %d:\n%s", got.code, got.output)
		case <-ctx.Done():
			s.t.Fatal("the boundary was not drawn in time")
		case <-time.After(50 * time.Millisecond): // status asks files; there is nothing to wait on
		}
	}
	do()
	s.touch("go")
	return <-ended
}

// On real brokers: with the fence a stray instance of a stopped service is
// refused by every broker, before and after the end, and nobody else is; a
// restore lifts the fence. Without its effect the same record gets in, and the
// watch names it. The other pairs of version and number of brokers are left to
// the campaign.
func TestFenceOnRealBrokers(t *testing.T) {
	t.Parallel()
	type pair struct {
		version  kafkatest.Version
		brokers  int
		everyone bool
	}
	pairs := []pair{{kafkatest.V2_8_2, 1, true}, {kafkatest.V4_3_0, 3, false}}
	if inCampaign {
		pairs = append(pairs, pair{kafkatest.V2_8_2, 3, false}, pair{kafkatest.V4_3_0, 3, true}, pair{kafkatest.V4_3_0, 1, false})
	}
	for _, c := range pairs {
		t.Run(fmt.Sprintf("%s brokers=%d everyone=%v", c.version, c.brokers, c.everyone), func(t *testing.T) {
			t.Parallel()
			source := newFencedCluster(t, c.version, c.brokers, c.everyone)
			name := fmt.Sprintf("fence%s%d%t", strings.ReplaceAll(string(c.version), ".", ""), c.brokers, c.everyone)
			fenceHolds(t, source, name)
			if c.version == kafkatest.V4_3_0 && !c.everyone { // it is not about the brokers
				withoutFence(t, source, "no"+name)
			}
		})
	}
}

func fenceHolds(t *testing.T, source fencedCluster, name string) {
	events := name + ".events"
	s := fencedScenario(t, source, name)
	s.start()
	s.flow(50)
	found := s.must(exitDifferences, "diff", "--detailed-exitcode").output
	who := "User:audit"
	if source.everyone {
		who = "everybody, since no rule is about it"
	}
	if !strings.Contains(found, "fence.writers") || !strings.Contains(found, who) {
		t.Errorf("%s is not named as one who may write:\n%s", who, found)
	}

	if source.everyone { // where two kinds of rules are to go
		goesBack(t, source, s, events)
	}
	refused := func(when string) {
		t.Helper()
		taken, err := source.write(t, "shop", events, 3)
		if taken > 0 || !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
			t.Errorf("%s: %d of 3 records of a stray shop were taken; %v", when, taken, err)
		}
	}
	done := s.behindTheBoundary(name, func() { refused("behind the boundary") })
	if done.code != exitDone || !strings.Contains(done.output, "--deny-principal User:shop") {
		t.Fatalf("exit code %d:\n%s", done.code, done.output)
	}
	refused("after the end")
	deny := fmt.Sprintf("deny User:shop write on topic %q from *", events)
	if d := cmp.Diff([]string{deny}, source.standing(t, events, cluster.Deny)); d != "" {
		t.Errorf("what denies (-want +got):\n%s", d)
	}
	status := s.must(exitDone, "status").output
	if !strings.Contains(status, deny) || !strings.Contains(s.must(exitDone, "state", "list").output, "fence") {
		t.Errorf("the fence is not in the status:\n%s", status)
	}
	s.must(exitDone, "diff", "--detailed-exitcode")
	if r := s.prove(); !r.Clean() {
		t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
	}
	if taken, err := source.write(t, "audit", events, 3); taken != 3 {
		t.Errorf("audit was shut out too: %d of 3 records, %v", taken, err)
	}
	verdicts := s.must(exitDifferences, "verify").output
	if !slices.ContainsFunc(strings.Split(verdicts, "\n"), func(line string) bool {
		return strings.Contains(line, "FAIL") && strings.Contains(line, checks.NameStray) && strings.Contains(line, events)
	}) {
		t.Errorf("its records are behind the boundary, and are not named:\n%s", verdicts)
	}
	if source.everyone {
		takenAway(t, source, s, events)
	}
}

// takenAway runs the commands that status prints, with Kafka's own tool.
func takenAway(t *testing.T, source fencedCluster, s *scenario, events string) {
	t.Helper()
	admin := fmt.Sprintf("security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location=%s\nsasl.mechanism=SCRAM-SHA-512\n"+
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";\n", source.CAFile(t), saslUser, saslPassword)
	if err := os.WriteFile(filepath.Join(s.stage.PlanDir, "admin.properties"), []byte(admin), 0o600); err != nil {
		t.Fatal(err)
	}
	var doc statusDoc
	if err := json.Unmarshal([]byte(s.must(exitDone, "status", "--json").output), &doc); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + source.ACLTool(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, f := range doc.Fences {
		if f.Topic != events {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(f.Lift, "\n"))
		cmd.Dir, cmd.Env = s.stage.PlanDir, append(os.Environ(), path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", f.Lift, err, out)
		}
	}
	if left := source.standing(t, events, ""); len(left) > 0 {
		t.Errorf("%v have left %v", doc.Fences, left)
	}
}

// goesBack lets the start fail: the service goes back, and may write again.
func goesBack(t *testing.T, source fencedCluster, s *scenario, events string) {
	t.Helper()
	before := source.standing(t, events, "")
	s.touch("broken")
	if out := s.must(exitRestored, "apply", "--yes").output; !strings.Contains(out, "the fence of "+events+" on the source is lifted") {
		t.Errorf("no fence was there to be lifted:\n%s", out)
	}
	if d := cmp.Diff(before, source.standing(t, events, "")); d != "" {
		t.Errorf("rules after the restore (-want +got):\n%s", d)
	}
	s.flow(50)
	if err := os.Remove(filepath.Join(s.stage.PlanDir, "broken")); err != nil {
		t.Fatal(err)
	}
}

// withoutFence is the negative control.
func withoutFence(t *testing.T, source fencedCluster, name string) {
	s := fencedScenario(t, source, name)
	s.start()
	s.flow(50)
	got := s.behindTheBoundary(name, func() {
		if taken, err := source.write(t, "shop", name+".events", 1); taken != 1 {
			t.Errorf("the stray's record was refused without a fence: %v", err)
		}
	}, "--sabotage", "no-fence")
	if got.code == exitDone || !strings.Contains(got.output, "wrote a record at offset") {
		t.Errorf("the stray was not detected, exit code %d:\n%s", got.code, got.output)
	}
	if left := source.standing(t, name+".events", cluster.Deny); len(left) > 0 {
		t.Errorf("rules in spite of the sabotage: %v", left)
	}
}
