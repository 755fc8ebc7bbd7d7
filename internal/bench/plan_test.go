//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// producers and consumers share the topics of a migration among them.
const (
	producers = 100
	consumers = 200
)

// topicOfGroup is the topic that a group reads: one of its service's.
func topicOfGroup(i int, f fill) int {
	perService := f.Groups / consumers
	return i/perService*(f.Topics/consumers) + i%perService
}

const head = `
migration "bench" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {
    drain_timeout = "10m"
    quiet_for     = "2s"
    fence         = "none"
  }
  topics { include = ["bench.*"] }
`

// topicsOnly writes a plan without services and groups: what apply does is to
// create topics.
func topicsOnly(t *testing.T, old, new []string) string {
	t.Helper()
	var b strings.Builder
	clusters(&b, old, new)
	b.WriteString(head + "}\n")
	return directory(t, map[string]string{"bench.kplan.hcl": b.String()})
}

// large writes a plan of many files: a file per service with the names of its
// topics, and the migration with settings for every topic.
func large(t *testing.T, files, topics int) string {
	t.Helper()
	all := map[string]string{}
	var b strings.Builder
	clusters(&b, []string{"a.old.example:9092"}, []string{"a.new.example:9092"})
	b.WriteString(strings.TrimSuffix(strings.TrimSpace(head), "topics { include = [\"bench.*\"] }"))
	b.WriteString("  topics {\n    include = [\"bench.*\"]\n")
	for i := range topics {
		fmt.Fprintf(&b, "    topic %q {\n      config = { \"retention.ms\" = duration(\"%dd\") }\n    }\n", topicName(i), 1+i%14)
	}
	b.WriteString("  }\n")
	for i := range files - 1 {
		var names []string
		for topic := i; topic < topics; topic += files - 1 {
			names = append(names, topicName(topic))
		}
		all[fmt.Sprintf("service-%03d.kplan.hcl", i)] = fmt.Sprintf("locals {\n  topics_%03d = %s\n}\n", i, list(names))
		fmt.Fprintf(&b, "  service \"service-%03d\" {\n    produces = local.topics_%03d\n%s", i, i, switches)
	}
	b.WriteString("}\n")
	all["bench.kplan.hcl"] = b.String()
	return directory(t, all)
}

// migration writes a plan that moves everything that fill has made, with
// services that own every topic and group; without services, the groups are
// ignored by name.
func (f fill) migration(t *testing.T, at served, services bool) string {
	t.Helper()
	var b strings.Builder
	clusters(&b, at.Source, at.Target)
	b.WriteString(head)
	if !services {
		b.WriteString("  groups {\n")
		for i := range f.Groups {
			fmt.Fprintf(&b, "    ignore %q { reason = \"not measured here\" }\n", groupName(i))
		}
		b.WriteString("  }\n}\n")
		return directory(t, map[string]string{"bench.kplan.hcl": b.String()})
	}
	b.WriteString("  groups { include = [\"bench-*\"] }\n")
	for i := range producers {
		n := f.Topics / producers
		service(&b, fmt.Sprintf("producer-%03d", i), "produces", i*n, n, nil)
	}
	for i := range consumers {
		n, perService := f.Topics/consumers, f.Groups/consumers
		var groups []string
		for g := range perService {
			groups = append(groups, groupName(i*perService+g))
		}
		service(&b, fmt.Sprintf("consumer-%03d", i), "consumes", i*n, n, groups)
	}
	b.WriteString("}\n")
	return directory(t, map[string]string{"bench.kplan.hcl": b.String()})
}

func clusters(b *strings.Builder, old, new []string) {
	fmt.Fprintf(b, "cluster \"old\" { bootstrap = %s }\ncluster \"new\" { bootstrap = %s }\n", list(old), list(new))
}

func service(b *strings.Builder, name, does string, first, topics int, groups []string) {
	fmt.Fprintf(b, "  service %q {\n    %s = [", name, does)
	for i := range topics {
		fmt.Fprintf(b, "%q, ", topicName(first+i))
	}
	b.WriteString("]\n")
	if groups != nil {
		fmt.Fprintf(b, "    groups = %s\n", list(groups))
	}
	b.WriteString(switches)
}

// switches ends a service.
const switches = `    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }
`

func list(words []string) string {
	quoted := make([]string, 0, len(words))
	for _, w := range words {
		quoted = append(quoted, fmt.Sprintf("%q", w))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// directory writes files, and the program that the services name.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ops"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ops", "service"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
