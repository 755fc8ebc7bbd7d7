package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// statusDoc is the JSON document of status.
type statusDoc struct {
	FormatVersion string          `json:"format_version"`
	Migration     string          `json:"migration"`
	Serial        int64           `json:"serial"`
	Phase         string          `json:"phase"` // not started, running or interrupted, ended
	Outcome       string          `json:"outcome,omitempty"`
	Error         string          `json:"error,omitempty"`
	Steps         []statusStep    `json:"steps"`
	Services      []statusService `json:"services"`
	Topics        []statusSide    `json:"topics"`
	Groups        []statusSide    `json:"groups"`
	Held          []string        `json:"held"`              // topics whose retention is held on the target
	Fences        []fenceDoc      `json:"fences,omitempty"`  // that stand on the source (R8)
	Workers       []statusWorker  `json:"workers,omitempty"` // of the mirror
	Paused        *state.Answer   `json:"paused,omitempty"`  // by whom
	Lock          *state.Holder   `json:"lock"`              // who runs apply now; null: nobody
	Requests      []state.Answer  `json:"requests"`          // what people asked for, the last ones, oldest first
}

type statusStep struct {
	Address string    `json:"address"`
	Status  string    `json:"status"` // pending, running, interrupted, unknown, done, failed, parked
	Attempt int       `json:"attempt"`
	Error   string    `json:"error,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

type statusService struct {
	Name string `json:"name"`
	Side string `json:"side"`
}

type statusSide struct {
	Name  string `json:"name"`
	Side  string `json:"side"`
	Epoch int    `json:"epoch"`
}

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show where the migration stands, from its state; asks no cluster and takes no lock",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				doc, err := readStatus(cmd.Context(), p, b)
				if err != nil {
					return err
				}
				if doc.Workers, err = a.workersOf(cmd.Context(), p); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), doc)
				}
				return writeStatus(cmd.OutOrStdout(), doc)
			})
		},
	}
}

func readStatus(ctx context.Context, p *plan.Plan, b state.Backend) (statusDoc, error) {
	inbox, unread := b.Requests(ctx) // before the journal: what has its effect in between is not taken for withdrawn
	st, err := b.Read(ctx)
	if err := cmp.Or(err, unread); err != nil {
		return statusDoc{}, err
	}
	holder, err := b.Holder(ctx)
	if err != nil {
		return statusDoc{}, err
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
func settleSteps(steps []statusStep, ended, held bool) {
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
			open = append(open, state.Answer{Request: r, Standing: requested})
		case a.Standing == state.Accepted:
			open = append(open, a)
		}
	}
	all = append(all, open...)
	slices.SortStableFunc(all, byTime)
	return all
}

func statusOf(p *plan.Plan, st state.State, inbox []state.Request) statusDoc {
	doc := statusDoc{
		FormatVersion: formatVersion, Migration: p.Migration.Name, Serial: st.Serial, Phase: "not started",
		Steps: []statusStep{}, Services: []statusService{}, Topics: []statusSide{}, Groups: []statusSide{}, Held: []string{}, Paused: st.Paused, Requests: requests(st, inbox),
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
		doc.Steps = append(doc.Steps, statusStep{Address: address, Status: status, Attempt: s.Attempt, Error: s.Error, At: s.At})
	}
	sort.Slice(doc.Steps, func(i, j int) bool {
		a, b := doc.Steps[i], doc.Steps[j]
		return a.At.Before(b.At) || a.At.Equal(b.At) && a.Address < b.Address
	})
	for _, s := range p.Migration.Services {
		doc.Services = append(doc.Services, statusService{Name: s.Name, Side: sideOf(st, s.Name)})
	}
	doc.Topics, doc.Groups = sidesOf(st.Topics), sidesOf(st.Groups)
	for t := range st.Overrides {
		doc.Held = append(doc.Held, t)
	}
	sort.Strings(doc.Held)
	doc.Fences = fenceDocs(p, executor.Fences(st))
	return doc
}

func sidesOf(flips map[string]state.Flip) []statusSide {
	out := []statusSide{}
	for name, f := range flips {
		out = append(out, statusSide{Name: name, Side: f.Side.String(), Epoch: f.Epoch})
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

func writeStatus(w io.Writer, doc statusDoc) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", doc.Migration, doc.Phase)
	if doc.Outcome != "" {
		fmt.Fprintf(&b, ": %s", doc.Outcome)
	}
	fmt.Fprintf(&b, " (state serial %d)\n", doc.Serial)
	if doc.Error != "" {
		fmt.Fprintf(&b, "  %s\n", doc.Error)
	}
	table := tablewriter.NewWriter(&b)
	table.Header("step", "status", "attempt", "at")
	for _, s := range doc.Steps {
		if err := table.Append(s.Address, s.Status, fmt.Sprint(s.Attempt), s.At.Format(time.RFC3339)); err != nil {
			return fmt.Errorf("writing the status: %w", err)
		}
	}
	if len(doc.Steps) > 0 {
		if err := table.Render(); err != nil {
			return fmt.Errorf("writing the status: %w", err)
		}
	}
	for _, s := range doc.Services {
		fmt.Fprintf(&b, "service %s: %s\n", s.Name, s.Side)
	}
	for _, t := range doc.Held {
		fmt.Fprintf(&b, "topic %s: retention is held on the target (R16)\n", t)
	}
	writeFences(&b, doc.Fences)
	writeWorkers(&b, doc.Workers)
	if doc.Lock != nil {
		fmt.Fprintf(&b, "locked by %s\n", doc.Lock)
	}
	if by := doc.Paused; by != nil {
		fmt.Fprintf(&b, "PAUSED by %s from %s at %s%s\n", by.Who, by.From, by.At.Format(time.RFC3339), reasonOf(*by))
	}
	for _, r := range doc.Requests {
		what := strings.TrimSpace(string(r.Verb) + " " + r.Address)
		fmt.Fprintf(&b, "request %s: %s by %s from %s at %s: %s", r.ID, what, r.Who, r.From, r.At.Format(time.RFC3339), r.Standing)
		if r.Why != "" {
			fmt.Fprintf(&b, ": %s", r.Why)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const formatVersion = "1.0"

func printJSON(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing the JSON document: %w", err)
	}
	return nil
}
