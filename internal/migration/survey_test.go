package migration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/worker"
)

// topicOf is a topic with so many partitions and these configs.
func topicOf(name string, partitions int, configs map[string]string) cluster.Topic {
	t := cluster.Topic{Name: name, Configs: map[string]cluster.Config{}, Partitions: make([]cluster.Partition, partitions)}
	for k, v := range configs {
		t.Configs[k] = cluster.Config{Value: v}
	}
	return t
}

// Each topic is copied as both sides have it and its direction says, or it is said
// why not.
func TestSurvey(t *testing.T) {
	forCopy := func(more ...string) map[string]string {
		set := map[string]string{"cleanup.policy": "delete", "message.timestamp.type": "CreateTime", "retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "1000"}
		for i := 0; i < len(more); i += 2 {
			set[more[i]] = more[i+1]
		}
		return set
	}
	both := func(from, to map[string]string, sizes ...int) [2]*cluster.Topic {
		a, b := topicOf("t", sizes[0], from), topicOf("t", sizes[1], to)
		return [2]*cluster.Topic{&a, &b}
	}
	alone := topicOf("t", 2, forCopy())
	for name, c := range map[string]struct {
		direction mirror.Way
		on        [2]*cluster.Topic
		want      worker.Topic // without partitions: not copied
		why       string
	}{
		"as it has to be":          {mirror.Forward, both(forCopy(), forCopy(), 2, 2), worker.Topic{Partitions: 2, MaxBatch: 1000}, ""},
		"compacted on the source":  {mirror.Forward, both(forCopy("cleanup.policy", "compact"), forCopy(), 2, 2), worker.Topic{Partitions: 2, MaxBatch: 1000, Ahead: true}, ""},
		"fewer partitions":         {mirror.Forward, both(forCopy(), forCopy(), 3, 2), worker.Topic{Partitions: 2, MaxBatch: 1000}, "the target has 2 partitions and the source 3"},
		"more partitions":          {mirror.Forward, both(forCopy(), forCopy(), 2, 3), worker.Topic{Partitions: 2, MaxBatch: 1000}, ""},
		"compacted on the target":  {mirror.Forward, both(forCopy(), forCopy("cleanup.policy", "compact"), 2, 2), worker.Topic{}, `cleanup.policy is "compact" and has to be "delete"`},
		"not there":                {mirror.Forward, [2]*cluster.Topic{&alone, nil}, worker.Topic{}, "the target does not have it"},
		"gone from the source":     {mirror.Forward, [2]*cluster.Topic{nil, &alone}, worker.Topic{}, "the source does not have it any more"},
		"its copy has ended":       {mirror.Halted, [2]*cluster.Topic{&alone, nil}, worker.Topic{}, ""},
		"apply has not asked":      {mirror.Pending, both(forCopy(), forCopy(), 2, 2), worker.Topic{Partitions: 2, MaxBatch: 1000}, ""},
		"not asked, and not there": {mirror.Pending, [2]*cluster.Topic{&alone, nil}, worker.Topic{}, ""},
	} {
		sides := [2]map[string]cluster.Topic{{}, {}}
		for i, one := range c.on {
			if one != nil {
				sides[i]["t"] = *one
			}
		}
		got := survey([]string{"t"}, mirror.Directions{Topics: map[string]mirror.Way{"t": c.direction}}, sides[0], sides[1])
		if d := cmp.Diff(c.want, got.Topics["t"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if c.why == "" && got.Unready["t"] != "" || !strings.Contains(got.Unready["t"], c.why) {
			t.Errorf("%s: it is not ready since %q", name, got.Unready["t"])
		}
		if waits := got.Pending == 1; waits != (c.direction == mirror.Pending) {
			t.Errorf("%s: %d wait for apply", name, got.Pending)
		}
	}
}

// Before the first apply the patterns select, afterwards the state does; a worker
// whose state has moved away is over.
func TestSurveySelects(t *testing.T) {
	t.Parallel()
	st, dir := staged(t, writer, reader, grouped, strings.Replace(copies, "start", "run = \"worker\"\n    start", 1)), t.TempDir()
	if err := HasWorkers(st.plan); err != nil {
		t.Error(err)
	}
	for want, blocks := range map[string][]string{"has no mirror block": {writer}, "runs within kplan apply": {writer, copies}} {
		if err := HasWorkers(planned(t, blocks...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	makeTopic(t, st.old, "orders.late", 1)
	look := func() Surveyed {
		found, err := Survey{Plan: st.plan, Clusters: st.clusters, State: state.NewFile(dir, time.Now), Shelf: state.NewFileShelf(dir)}.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := look(); found.Pending != 2 || found.Begun {
		t.Errorf("before the first apply: %+v", found)
	}
	s := begin(t, dir)
	if err := s.record(state.Record{Selection: &state.Selection{Topics: []string{"orders"}}}, state.Record{Step: &state.Step{Address: "mirror.start", Attempt: 1, Status: state.Done}}); err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if found := look(); found.Pending != 1 || !found.Begun {
		t.Errorf("with what the state has pinned: %+v", found)
	}
	s = begin(t, dir)
	if err := s.record(state.Record{Moved: &state.Moved{To: "kafka c/t"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	_, err := Survey{Plan: st.plan, Clusters: st.clusters, State: state.NewFile(dir, time.Now), Shelf: state.NewFileShelf(dir)}.Look(t.Context())
	if !errors.Is(err, worker.ErrOver) {
		t.Errorf("when the state has moved away: %v", err)
	}
}

// A copy begins once more only where nothing of it would be there twice.
func TestMayForget(t *testing.T) {
	t.Parallel()
	s := staged(t, writer)
	may := func(st state.State, topics ...string) string {
		if err := s.clusters.MayForget(t.Context(), s.plan, st, topics); err != nil {
			return err.Error()
		}
		return ""
	}
	if got := may(state.State{}, "orders", "orders.gone"); got != "" {
		t.Errorf("topics that the target does not have: %s", got)
	}
	if got := may(state.State{}, "others"); !strings.Contains(got, "not among those that the migration has selected") {
		t.Errorf("a topic of others: %q", got)
	}
	if got := may(state.State{Selection: &state.Selection{Topics: []string{"orders"}}}, "orders.late"); !strings.Contains(got, "not among those") {
		t.Errorf("a topic that came later: %q", got)
	}
	makeTopic(t, s.anew, "orders", 1)
	if got := may(state.State{}, "orders"); got != "" {
		t.Errorf("an empty topic: %s", got)
	}
	write(t, s.anew, "orders")
	if got := may(state.State{}, "orders"); !strings.Contains(got, "orders[0] is at offset 1 on the target") {
		t.Errorf("a topic that holds something: %q", got)
	}
}
