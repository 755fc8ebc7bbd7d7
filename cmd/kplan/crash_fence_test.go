package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
	"kplan/internal/workload"
)

// crashFenced is the crash loop around the fence: kplan is killed before and
// after each of its records, and after every sixteenth of the others. At the end
// the same rules stand on the source as without a kill, and the state knows all
// that kplan has added: a fence that nobody remembers would never be lifted. It
// fails when the intent is recorded after the rules are made.
func crashFenced(t *testing.T) {
	c := crash{example: "production-first", fenced: true}
	var reference endState
	var s *scenario
	inRoom(func() { reference, s = crashed(t, c, fencedPair) })
	if len(reference.Fences) != 2 {
		t.Fatalf("the reference run leaves the fences %v", reference.Fences)
	}
	around, records := s.fenceRecords()
	t.Logf("the reference run has %d journal records, those of fences are %v", records, around)
	before := c
	before.before = true
	points := append(every(upTo(records), 16, records%16), around...)
	slices.Sort(points)
	t.Run("after", func(t *testing.T) { t.Parallel(); crashAt(t, c, fencedPair, reference, slices.Compact(points)) })
	t.Run("before", func(t *testing.T) { t.Parallel(); crashAt(t, before, fencedPair, reference, around) })
}

// fenceRecords returns the numbers of the journal's records that are about
// fences, and how many records there are.
func (s *scenario) fenceRecords() (around []int, records int) {
	s.t.Helper()
	journals, err := filepath.Glob(filepath.Join(s.stage.PlanDir, ".kplan", "*", "journal.jsonl"))
	if err != nil || len(journals) != 1 {
		s.t.Fatalf("journals %v, %v", journals, err)
	}
	data, err := os.ReadFile(journals[0])
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var r state.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.t.Fatal(err)
		}
		records++
		if r.Fence != nil || r.Step != nil && strings.HasSuffix(r.Step.Address, ".fence") {
			around = append(around, records)
		}
	}
	if total := s.journalLength(); total != records {
		s.t.Fatalf("the journal's file has %d records, the state %d", records, total)
	}
	return around, records
}

// fencedPair is a source on which everybody logs in and may do what rules say.
func fencedPair(t *testing.T) (source, target end) {
	t.Helper()
	users := []embedded.User{{Mechanism: embedded.Plain, Name: saslUser, Password: saslPassword, Super: true}}
	for _, login := range serviceLogins() {
		users = append(users, embedded.User{Mechanism: embedded.Plain, Name: login.Username, Password: login.Password})
	}
	source = fake(t, embedded.Options{Users: users, ACLs: true})
	source.conn.SASL = &workload.SASL{Mechanism: "PLAIN", Username: saslUser, Password: saslPassword}
	source.hcl = fmt.Sprintf("  sasl {\n    mechanism = \"PLAIN\"\n    username = %q\n    password = env(\"TEST_SASL_PASSWORD\")\n  }\n", saslUser)
	rule := func(user, resource, of, pattern, operation string) cluster.ACL {
		return cluster.ACL{Resource: resource, Name: of, Pattern: pattern, Principal: "User:" + user, Host: "*", Operation: operation, Permission: cluster.Allow}
	}
	var rules []cluster.ACL
	for name := range serviceLogins() {
		rules = append(rules, rule(name, "topic", "crash", cluster.Prefixed, "all"), rule(name, "group", "crash", cluster.Prefixed, "all"),
			rule(name, "cluster", cluster.ClusterName, cluster.Literal, "idempotent_write"))
	}
	target = fake(t, embedded.Options{}) // it keeps rules, and asks nobody for a login
	for _, e := range []end{source, target} {
		asReader(t, e, func(client *kafka.Client) error {
			refused, err := client.CreateACLs(context.Background(), rules)
			if len(refused) > 0 {
				t.Fatal(refused)
			}
			return err
		})
	}
	return source, target
}

func serviceLogins() map[string]workload.SASL {
	all := map[string]workload.SASL{}
	for _, name := range []string{"shop", "pricing", "billing"} {
		all[name] = workload.SASL{Mechanism: "PLAIN", Username: name, Password: saslPassword}
	}
	return all
}

// withPrincipals gives an example without a fence one.
func withPrincipals(text string) string {
	text = strings.Replace(text, `fence         = "none"`, `fence         = "acl"`, 1)
	for name := range serviceLogins() {
		opens := fmt.Sprintf("service %q {\n", name)
		text = strings.Replace(text, opens, fmt.Sprintf("%s    principals = [\"User:%s\"]\n", opens, name), 1)
	}
	return text
}

// rulesOf are the rules that deny something, in words.
func rulesOf(t *testing.T, e end, plain func(string) string) []string {
	t.Helper()
	var all []string
	asReader(t, e, func(client *kafka.Client) error {
		rules, err := client.ACLs(context.Background())
		for _, a := range rules {
			if a.Permission == cluster.Deny {
				all = append(all, plain(a.String()))
			}
		}
		return err
	})
	return all
}
