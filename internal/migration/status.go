package migration

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// Status is where a migration stands, by its state.
type Status struct {
	Migration string          `json:"migration"`
	Serial    int64           `json:"serial"`
	Phase     string          `json:"phase"` // not started, running or interrupted, ended
	Outcome   string          `json:"outcome,omitempty"`
	Error     string          `json:"error,omitempty"`
	Steps     []StatusStep    `json:"steps"`
	Services  []StatusService `json:"services"`
	Topics    []StatusSide    `json:"topics"`
	Groups    []StatusSide    `json:"groups"`
	Held      []string        `json:"held"`              // topics whose retention is held on the target
	Fences    []Fence         `json:"fences,omitempty"`  // that stand on the source (R8)
	Workers   []StatusWorker  `json:"workers,omitempty"` // of the mirror
	Paused    *state.Answer   `json:"paused,omitempty"`  // by whom
	Lock      *state.Holder   `json:"lock"`              // who runs apply now; null: nobody
	Requests  []state.Answer  `json:"requests"`          // what people asked for, the last ones, oldest first
}

type StatusStep struct {
	Address string    `json:"address"`
	Status  string    `json:"status"` // pending, running, interrupted, unknown, done, failed, parked
	Attempt int       `json:"attempt"`
	Error   string    `json:"error,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

type StatusService struct {
	Name string `json:"name"`
	Side string `json:"side"`
}

type StatusSide struct {
	Name  string `json:"name"`
	Side  string `json:"side"`
	Epoch int    `json:"epoch"`
}

// ReadStatus reads a state and its inbox. It asks no cluster, takes no lock and
// closes nothing.
func ReadStatus(ctx context.Context, p *plan.Plan, b state.Backend) (Status, error) {
	inbox, unread := b.Requests(ctx) // before the journal: what has its effect in between is not taken for withdrawn
	st, err := b.Read(ctx)
	if err := cmp.Or(err, unread); err != nil {
		return Status{}, err
	}
	holder, err := b.Holder(ctx)
	if err != nil {
		return Status{}, err
	}
	doc := statusOf(p, st, inbox)
	if doc.Lock = holder; holder != nil && st.Ended == nil && st.Began != nil {
		doc.Phase = "running"
	}
	settleSteps(doc.Steps, st.Ended != nil, holder != nil)
	return doc, nil
}

// settleSteps calls no step running that is not: a run that has ended has
// interrupted it, and of one that ended without a word it is not known how far it
// came.
func settleSteps(steps []StatusStep, ended, held bool) {
	for i := range steps {
		switch {
		case steps[i].Status != string(state.Running):
		case ended:
			steps[i].Status = "interrupted"
		case !held:
			steps[i].Status = "unknown"
		}
	}
}

// lastRequests is how many requests are shown that have been dealt with.
const lastRequests = 10

// requests joins what waits in the inbox with what the journal says of earlier
// ones.
func requests(st state.State, inbox []state.Request) []state.Answer {
	all, open := []state.Answer{}, []state.Answer{}
	for id, a := range st.Answers {
		if a.Standing == state.Accepted {
			if slices.ContainsFunc(inbox, func(r state.Request) bool { return r.ID == id }) {
				continue
			}
			a.Standing = state.Withdrawn // which no apply has written down yet
		}
		all = append(all, a)
	}
	byTime := func(a, b state.Answer) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(all, byTime)
	all = all[max(0, len(all)-lastRequests):]
	for _, r := range inbox { // what waits is shown, however old it is
		switch a, seen := st.Answers[r.ID]; {
		case !seen:
			open = append(open, state.Answer{Request: r, Standing: Requested})
		case a.Standing == state.Accepted:
			open = append(open, a)
		}
	}
	all = append(all, open...)
	slices.SortStableFunc(all, byTime)
	return all
}

func statusOf(p *plan.Plan, st state.State, inbox []state.Request) Status {
	doc := Status{
		Migration: p.Migration.Name, Serial: st.Serial, Phase: "not started",
		Steps: []StatusStep{}, Services: []StatusService{}, Topics: []StatusSide{}, Groups: []StatusSide{}, Held: []string{}, Paused: st.Paused, Requests: requests(st, inbox),
	}
	if st.Began != nil {
		doc.Phase = "running, or ended without a word"
		if st.Ended != nil {
			doc.Phase, doc.Outcome, doc.Error = "ended", st.Ended.Outcome, st.Ended.Error
		}
	}
	for address, s := range st.Steps {
		status := string(s.Status)
		if s.Status == state.Pending || s.Status == state.Reset {
			status = "pending"
		}
		doc.Steps = append(doc.Steps, StatusStep{Address: address, Status: status, Attempt: s.Attempt, Error: s.Error, At: s.At})
	}
	sort.Slice(doc.Steps, func(i, j int) bool {
		a, b := doc.Steps[i], doc.Steps[j]
		return a.At.Before(b.At) || a.At.Equal(b.At) && a.Address < b.Address
	})
	for _, s := range p.Migration.Services {
		doc.Services = append(doc.Services, StatusService{Name: s.Name, Side: sideOf(st, s.Name)})
	}
	doc.Topics, doc.Groups = sidesOf(st.Topics), sidesOf(st.Groups)
	for t := range st.Overrides {
		doc.Held = append(doc.Held, t)
	}
	sort.Strings(doc.Held)
	doc.Fences = Fences(p, executor.Fences(st))
	return doc
}

func sidesOf(flips map[string]state.Flip) []StatusSide {
	out := []StatusSide{}
	for name, f := range flips {
		out = append(out, StatusSide{Name: name, Side: f.Side.String(), Epoch: f.Epoch})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// sideOf says where a service is, as far as the journal knows.
func sideOf(st state.State, service string) string {
	stop, start := st.Steps[graph.ServiceAddress(service, "stop")].Status, st.Steps[graph.ServiceAddress(service, "start")].Status
	onSource := stop != state.Done
	switch {
	case stop == state.Running, stop == state.Failed, start == state.Running, start == state.Failed:
		return "unknown"
	case start == state.Done && onSource:
		return "source and target"
	case start == state.Done:
		return "target"
	case onSource:
		return "source"
	default:
		return "stopped"
	}
}
