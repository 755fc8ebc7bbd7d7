package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror/wire"
)

// GroupError says that the group cannot be joined, whatever happens.
type GroupError struct {
	Group string
	Err   error // Kafka's
}

func (e *GroupError) Error() string {
	return fmt.Sprintf("sharing partitions through group %q of the source: %v. The workers' principal needs READ on that group, and READ on the topics", e.Group, e.Err)
}

func (e *GroupError) Unwrap() error { return e.Err }

// join makes a member of the group; it fetches nothing and commits nothing.
func (w *Worker) join(topics []string) (*kgo.Client, error) {
	g := w.conf.Group
	opts := []kgo.Opt{
		kgo.SeedBrokers(g.At.Bootstrap...), kgo.ClientID("kplan-mirror"), kgo.WithHooks(groupErrors{w}),
		kgo.ConsumerGroup(g.Name), kgo.ConsumeTopics(topics...), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(g.Session), kgo.HeartbeatInterval(g.Session / 5), kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.MetadataMaxAge(w.conf.Every), kgo.MetadataMinAge(w.conf.Every / 4),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) { w.assign(flat(added)) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { w.giveBack(flat(gone)) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { w.lose(flat(gone)) }),
	}
	if g.At.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(g.At.TLS.Clone()))
	}
	if g.At.SASL != nil {
		opts = append(opts, kgo.SASL(g.At.SASL))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("preparing group %q: %w", g.Name, err)
	}
	client.PauseFetchTopics(topics...)
	return client, nil
}

func flat(topics map[string][]int32) []wire.Partition {
	var all []wire.Partition
	for topic, numbers := range topics {
		for _, n := range numbers {
			all = append(all, wire.Partition{Topic: topic, Number: n})
		}
	}
	return all
}

// groupErrors hears why the group cannot be joined.
type groupErrors struct{ w *Worker }

var _ kgo.HookGroupManageError = groupErrors{}

// OnGroupManageError ends the worker where trying again is no use.
func (g groupErrors) OnGroupManageError(err error) {
	if errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.InvalidSessionTimeout) {
		g.w.fail(&GroupError{Group: g.w.conf.Group.Name, Err: err})
		return
	}
	g.w.conf.Log.Warn("the group of the workers", "err", err)
}

// beat sends heartbeats of its own beside the client's, since the lease needs to
// know which one was answered, and when it was sent.
func (w *Worker) beat(ctx context.Context, client *kgo.Client) {
	tick := time.NewTicker(w.conf.Group.Session / 5)
	defer tick.Stop()
	for {
		if id, generation := client.GroupMetadata(); id != "" {
			w.beatOnce(ctx, client, id, generation)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.beatNow:
		}
	}
}

func (w *Worker) beatOnce(ctx context.Context, client *kgo.Client, id string, generation int32) {
	ctx, cancel := context.WithTimeout(ctx, w.conf.Group.Session/3)
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = w.conf.Group.Name, id, generation
	sent := w.conf.Clock.Now()
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	switch {
	// While the group is put in order anew its members keep what they have.
	case err == nil, errors.Is(err, kerr.RebalanceInProgress):
		lapsed := w.lease.check() != nil
		if extend(&w.lease.member, sent); lapsed {
			w.changed() // nothing was taken meanwhile
		}
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		w.lease.member.Store(never)
	case ctx.Err() == nil:
		w.conf.Log.Debug("a heartbeat was not answered", "err", err)
	}
}
