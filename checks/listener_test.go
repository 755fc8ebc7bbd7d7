package checks_test

import (
	"testing"
	"time"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// One address at a time is wrong in one way; the other one passes.
func TestListener(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	fail := func(stage cluster.Stage, why string) func(*cluster.Listening) {
		return func(l *cluster.Listening) {
			c := &l.Contacts[1]
			c.Failed, c.Why, c.Do = stage, why, "Do this."
		}
	}
	ends := func(certificate int, in time.Duration) func(*cluster.Listening) {
		return func(l *cluster.Listening) { l.Contacts[1].Certificates[certificate].NotAfter = now.Add(in) }
	}
	const days = 24 * time.Hour
	for name, c := range map[string]struct {
		change     func(*cluster.Listening)
		check, saw string
		object     string
	}{
		"all is well": {change: func(*cluster.Listening) {}},
		"plaintext":   {change: func(l *cluster.Listening) { *l = cluster.Listening{Contacts: []cluster.Contact{{Address: "a:1"}}} }},
		"dead":        {fail(cluster.StageReach, "nothing answers there"), checks.NameConnect, `broker 1 of listener "tls" of cluster "old" advertises b1.example:9095, and nothing answers there`, "old/tls/1"},
		"dead address of bootstrap": {func(l *cluster.Listening) {
			fail(cluster.StageReach, "nothing answers there")(l)
			l.Contacts[1].Broker = -1
		},
			checks.NameConnect, `bootstrap of listener "tls" of cluster "old" names b1.example:9095, and`, "old/tls/b1.example:9095"},
		"wrong host": {fail(cluster.StageTLS, "its certificate is for another host"), checks.NameTLS,
			"for another host; it presented CN=broker for b0.example, b1.example, signed by CN=authority, valid until 2026-07-30 12:00 UTC", "old/tls/1"},
		"refused":           {fail(cluster.StageLogin, "the broker refuses the credentials"), checks.NameSASL, "and the broker refuses the credentials", "old/tls/1"},
		"own listener":      {func(l *cluster.Listening) { fail(cluster.StageLogin, "x")(l); l.Listener = "" }, checks.NameSASL, `broker 1 of cluster "old" advertises`, "old/1"},
		"ends soon":         {ends(0, 14*days-time.Second), checks.NameExpiry, "the certificate of CN=broker ends on 2026-05-15 11:59 UTC, in 13 days; fewer than 14", "old/tls/1"},
		"ends late enough":  {change: ends(0, 14*days)},
		"its authority too": {ends(1, days), checks.NameExpiry, "the certificate of CN=authority ends", "old/tls/1"},
		"ran out":           {ends(1, -time.Hour), checks.NameExpiry, "ran out on", "old/tls/1"},
		"the plan's own": {func(l *cluster.Listening) { l.Client = &cluster.Certificate{Subject: "CN=me", NotAfter: now.Add(days)} },
			checks.NameExpiry, "the certificate of CN=me ends", "old/tls"},
		"another cluster": {func(l *cluster.Listening) { l.ClusterID = "id-2" }, checks.NameConnect, "cluster id id-2, and the cluster's own listener with id-1", "old/tls"},
		"nobody answered": {func(l *cluster.Listening) { fail(cluster.StageReach, "x")(l); l.ClusterID = "" }, checks.NameConnect, "and x", "old/tls/1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listening(now)
			c.change(&l)
			failing := checks.Failing(checks.Listener(l, "id-1", now))
			one(t, failing, c.check, diff.Fail, c.saw)
			if c.check != "" && failing[0].Object.Name != c.object {
				t.Errorf("object %q", failing[0].Object.Name)
			}
		})
	}
}
