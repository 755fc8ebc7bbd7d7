package executor

import (
	"context"
	"errors"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

// fenced is a cluster whose every change asks first whether this process still
// holds the lock: one that was suspended for longer than its lease must not act
// when it wakes up (R18).
type fenced struct {
	Cluster
	fence Fence
}

// held asks whether the lock is held, and returns ctx for as long as it is. A
// change is asked for again while brokers restart, which may take longer than a
// lease: it must not arrive when somebody else acts.
func held(ctx context.Context, fence Fence) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-fence.Lost():
			cancel(fence.Check())
		}
	}()
	err := fence.Check() // last, so that nothing comes between the answer and the change
	return ctx, func() { cancel(nil) }, err
}

func (f fenced) CreateTopics(ctx context.Context, specs []cluster.TopicSpec, validateOnly bool) (map[string]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.CreateTopics(ctx, specs, validateOnly)
}

func (f fenced) GrowTopics(ctx context.Context, totals map[string]int, validateOnly bool) (map[string]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.GrowTopics(ctx, totals, validateOnly)
}

func (f fenced) AlterTopics(ctx context.Context, changes map[string]map[string]*string, validateOnly bool) (map[string]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.AlterTopics(ctx, changes, validateOnly)
}

func (f fenced) Commit(ctx context.Context, group string, positions map[cluster.TopicPartition]cluster.Commit) error {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return err
	}
	return f.Cluster.Commit(ctx, group, positions)
}

func (f fenced) RemoveMembers(ctx context.Context, group string, members []cluster.Member) error {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return err
	}
	return f.Cluster.RemoveMembers(ctx, group, members)
}

func (f fenced) CreateACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.CreateACLs(ctx, rules)
}

func (f fenced) DeleteACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.DeleteACLs(ctx, rules)
}

func (f fenced) SetQuotas(ctx context.Context, quotas []cluster.Quota, validateOnly bool) (map[cluster.QuotaEntity]error, error) {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return nil, err
	}
	return f.Cluster.SetQuotas(ctx, quotas, validateOnly)
}

func (f fenced) CreateScramUser(ctx context.Context, user cluster.ScramUser, password string) error {
	ctx, cancel, err := held(ctx, f.fence)
	defer cancel()
	if err != nil {
		return err
	}
	return f.Cluster.CreateScramUser(ctx, user, password)
}

// fencedSwitch asks the same before a service is stopped or started.
type fencedSwitch struct {
	Switch
	fence Fence
}

func (f fencedSwitch) Stop(ctx context.Context, side cluster.Side, step string) error {
	if err := f.fence.Check(); err != nil {
		return err
	}
	return f.Switch.Stop(ctx, side, step)
}

func (f fencedSwitch) Start(ctx context.Context, side cluster.Side, step string) error {
	if err := f.fence.Check(); err != nil {
		return err
	}
	return f.Switch.Start(ctx, side, step)
}

// guard puts the fence before everything that changes anything. The journal
// asks by itself.
func (r *run) guard() {
	if r.Fence == nil {
		return
	}
	engine := *r.Engine
	engine.Source, engine.Target = fenced{r.Source, r.Fence}, fenced{r.Target, r.Fence}
	engine.Switches = map[string]Switch{}
	for name, sw := range r.Switches {
		engine.Switches[name] = fencedSwitch{sw, r.Fence}
	}
	r.Engine = &engine
}

// watchFence ends the run when the lock is lost.
func (r *run) watchFence(ctx context.Context) (ended <-chan struct{}) {
	over := make(chan struct{})
	if r.Fence == nil {
		close(over)
		return over
	}
	go func() {
		defer close(over)
		select {
		case <-ctx.Done():
		case <-r.Fence.Lost():
			r.end(r.Fence.Check())
		}
	}()
	return over
}

// fatal reports whether nothing may be done any more, not even a restore: it
// could not be recorded, or somebody else acts.
func fatal(err error) bool {
	var write *state.WriteError
	var lost *state.LeaseLostError
	return errors.As(err, &write) || errors.As(err, &lost)
}
