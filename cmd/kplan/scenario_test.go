package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kplan/internal/demo"
	"kplan/internal/embedded"
	"kplan/internal/kafkatest"
	"kplan/internal/workload"
)

// end is one cluster of a scenario as services and plans reach it.
type end struct {
	conn workload.Connection
	hcl  string // what stands in the plan's cluster block beside bootstrap
}

// credentials of the real clusters' SASL listeners.
const (
	saslUser     = kafkatest.SuperUser
	saslPassword = kafkatest.Password
)

// real shares a real cluster and names it for the log.
func real(t *testing.T, o kafkatest.Options, listener kafkatest.Listener) end {
	t.Helper()
	c := brokers.Shared(t, o)
	t.Logf("broker: Apache Kafka %s, cluster id %s, %s (%s)", c.Version(), c.ClusterID(), listener, c.Evidence())
	e := end{conn: workload.Connection{Bootstrap: c.Bootstrap(listener)}}
	if listener == kafkatest.SASLTLS {
		ca := c.CAFile(t)
		e.conn.TLS = &workload.TLS{CAFile: ca}
		e.conn.SASL = &workload.SASL{Mechanism: "SCRAM-SHA-512", Username: saslUser, Password: saslPassword}
		e.hcl = fmt.Sprintf("  tls {\n    ca_file = %q\n  }\n  sasl {\n    mechanism = \"SCRAM-SHA-512\"\n    username = %q\n    password = env(\"TEST_SASL_PASSWORD\")\n  }\n", ca, saslUser)
	}
	return e
}

// fake starts an embedded cluster for one test.
func fake(t *testing.T, o embedded.Options) end {
	t.Helper()
	c, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return end{conn: workload.Connection{Bootstrap: c.Bootstrap()}}
}

// scenario is an example on two clusters with live services.
type scenario struct {
	t      *testing.T
	stage  *demo.Stage
	binary string // the kplan under test
}

type scenarioOptions struct {
	example        string
	name           string
	source, target end
	rate           int
	pace           int    // of the processor; 0: no bound
	quiet          string // "": 1s
	topic          bool   // the state is kept in a topic of the source

	logins map[string]workload.SASL // of the services on the source
	plan   func(text string) string // changes the plan's text further
}

func newScenario(t *testing.T, o scenarioOptions) *scenario {
	t.Helper()
	if o.quiet == "" {
		o.quiet = "1s"
	}
	stage, err := demo.Set(demo.Options{
		Dir: t.TempDir(), Example: o.example, Name: o.name, Executable: built().plain, Rate: o.rate, Pace: o.pace, Partitions: 3,
		Source: o.source.conn, Target: o.target.conn, Logins: o.logins,
		Plan: func(text string) string {
			if o.plan != nil {
				text = o.plan(text)
			}
			text = strings.Replace(text, "bootstrap = var.old\n", "bootstrap = var.old\n"+o.source.hcl, 1)
			text = strings.Replace(text, "bootstrap = var.new\n", "bootstrap = var.new\n"+o.target.hcl, 1)
			if o.topic {
				text = "state \"kafka\" { cluster = cluster.old }\n" + text
			}
			return strings.Replace(text, `quiet_for     = "2s"`, `quiet_for     = "`+o.quiet+`"`, 1)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{t: t, stage: stage, binary: built().kplan}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			s.showLogs()
		}
	})
	return s
}

func (s *scenario) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(s.stage.Control.Dir, "log", "*")) // the pattern is well-formed
	for _, path := range logs {
		if data, err := os.ReadFile(path); err == nil {
			s.t.Logf("%s:\n%s", filepath.Base(path), tailOf(data, 1500))
		}
	}
}

func tailOf(data []byte, n int) []byte {
	if len(data) > n {
		return data[len(data)-n:]
	}
	return data
}

func (s *scenario) start() {
	s.t.Helper()
	if err := s.stage.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// flow waits until the end of the chain has received n more records.
func (s *scenario) flow(n int64) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	follow, err := workload.Follow(s.stage.Control.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	first := int64(-1)
	for {
		counts, err := follow.Read()
		if err != nil {
			s.t.Fatal(err)
		}
		var received int64
		for group, topics := range counts.Received {
			if strings.HasSuffix(group, "-billing") {
				for _, count := range topics {
					received += count
				}
			}
		}
		if first < 0 {
			first = received
		}
		if received >= first+n {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("only %d of %d records came through", received-first, n)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// outcome is what one run of kplan did.
type outcome struct {
	code   int // -1: killed
	output string
}

// kplan runs the binary under test in the plan's directory.
func (s *scenario) kplan(env []string, args ...string) outcome {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = s.stage.PlanDir
	cmd.Env = append(s.environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("kplan %s: %v", strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		s.t.Fatalf("kplan %s did not end:\n%s", strings.Join(args, " "), out.String())
	}
	if strings.Contains(out.String(), saslPassword) {
		s.t.Errorf("kplan %s shows the password", args[0])
	}
	if strings.Contains(out.String(), "DATA RACE") {
		s.t.Errorf("kplan %s has a data race:\n%s", args[0], out.String())
	}
	return outcome{code: cmd.ProcessState.ExitCode(), output: out.String()}
}

func (s *scenario) environ() []string {
	return append(append(os.Environ(), s.stage.Environ()...), "TEST_SASL_PASSWORD="+saslPassword, "KAFKA_PASSWORD="+saslPassword, "GORACE=halt_on_error=1")
}

func (s *scenario) must(code int, args ...string) outcome {
	s.t.Helper()
	got := s.kplan(nil, args...)
	if got.code != code {
		s.t.Fatalf("kplan %s: exit code %d, want %d\n%s", strings.Join(args, " "), got.code, code, got.output)
	}
	return got
}

// prove stops everything in order and returns the proof.
func (s *scenario) prove() workload.Report {
	s.t.Helper()
	r, err := s.stage.Finish(s.t.Context(), 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, topic := range r.Topics {
		for _, g := range topic.Readers {
			s.t.Logf("%s, %s: produced %d, consumed %d, lost %d, twice %d, out of order %d (between the clusters %d)",
				topic.Topic, g.Group, topic.Produced, g.Received, g.Lost, g.Twice, g.OutOfOrder, g.OutOfOrderBetween)
		}
	}
	for _, p := range r.Pauses {
		s.t.Logf("%s %s: longest pause %.0f ms, from %s to %s", p.Service, p.What, p.Longest, p.From, p.To)
	}
	return r
}

func pauseOf(r workload.Report, service, what string) time.Duration {
	for _, p := range r.Pauses {
		if p.Service == service && p.What == what {
			return time.Duration(p.Longest * float64(time.Millisecond))
		}
	}
	return 0
}
