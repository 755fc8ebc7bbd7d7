package executor

import (
	"context"
	"time"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// outcome is what became of one step of a batch.
type outcome struct {
	text string
	err  error
}

// batchHandler carries out several steps of a kind in few requests. What holds
// for a handler holds for it: it looks first, and may be called again.
type batchHandler func(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome

// batches is the table of the kinds whose steps go together.
func batches() map[graph.Kind]batchHandler {
	return map[graph.Kind]batchHandler{
		graph.CreateTopic: createTopics,
		graph.GrantACLs:   grantACLs,
		graph.SetQuota:    setQuotas,
		graph.CreateUser:  createUsers,
	}
}

// toldOneByOne is up to how many steps of a batch are told one by one.
const toldOneByOne = 20

// batch runs a batch handler between its records: one write for all that begin,
// one for all that passed.
func (r *run) batch(ctx context.Context, handle batchHandler, steps []*graph.Step) []finished {
	began := r.Clock.Now()
	all := make([]finished, len(steps))
	var begin []state.Record
	for i, s := range steps {
		all[i].step = s
		step := r.attempting(s)
		begin = append(begin, state.Record{Step: &step})
	}
	if err := r.record(begin...); err != nil {
		for i := range all {
			all[i].err = err
		}
		return all
	}
	for i, s := range steps {
		r.emit(StepStarted{Step: s, Attempt: begin[i].Step.Attempt})
	}
	outcomes := handle(ctx, r, steps)
	var passed []state.Record
	for i, s := range steps {
		if err := outcomes[s.Address].err; err != nil {
			all[i].err = r.leave(s, err)
			continue
		}
		passed = append(passed, state.Record{Step: &state.Step{Address: s.Address, Attempt: begin[i].Step.Attempt, Status: state.Done}})
	}
	err := r.record(passed...)
	for i := range all {
		if all[i].err == nil {
			all[i].err = err
		}
	}
	r.tell(all, outcomes, r.Clock.Now().Sub(began))
	return all
}

// tell says what passed: each step of a few, or how many of many.
func (r *run) tell(all []finished, outcomes map[string]outcome, took time.Duration) {
	texts := map[string]int{}
	for _, f := range all {
		if f.err != nil {
			continue
		}
		text := outcomes[f.step.Address].text
		texts[text]++
		if len(all) <= toldOneByOne {
			r.emit(StepDone{Step: f.step, Text: text, Took: took})
		}
	}
	if len(all) > toldOneByOne {
		r.emit(BatchDone{Kind: all[0].step.Kind, Texts: texts, Took: took, Left: r.pending(all[0].step.Kind)})
	}
}

// pending counts the steps of a kind that have not passed.
func (r *run) pending(k graph.Kind) int {
	n := 0
	for _, s := range r.Graph.Steps {
		if s.Kind == k && r.status(s.Address) != state.Done {
			n++
		}
	}
	return n
}
