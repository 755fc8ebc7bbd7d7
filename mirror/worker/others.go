package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
)

// othersEvery is how often is looked at the entries of other workers.
const othersEvery = time.Second

// watch looks at the other workers until ctx ends. One whose process has ended on
// this machine without a word is taken out of the group, so that its partitions
// need not wait until its session has run out; the entry of one of which nothing
// can arrive any more is taken away.
func (w *Worker) watch(ctx context.Context) {
	tick := time.NewTicker(othersEvery)
	defer tick.Stop()
	evicted := map[string]bool{}
	for {
		if err := w.watchOnce(ctx, evicted); err != nil && ctx.Err() == nil {
			w.conf.Log.Warn("looking after other workers", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Worker) watchOnce(ctx context.Context, evicted map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, claiming)
	defer cancel()
	signs, err := w.signs.Look(ctx, w.conf.Shelf)
	if err != nil {
		return err
	}
	var others []mirror.Sign
	var errs []error
	for _, s := range signs {
		if s.ID == w.conf.ID {
			continue
		}
		others = append(others, s)
		client := w.client.Load()
		if !s.Dead || s.Member == "" || evicted[s.Member] || client == nil {
			continue
		}
		if err := w.evict(ctx, client, s); err != nil {
			errs = append(errs, fmt.Errorf("taking %s, which is dead, out of the group: %w", s.Name(), err))
			continue
		}
		evicted[s.Member] = true
	}
	w.mu.Lock()
	w.others = others
	w.mu.Unlock()
	errs = append(errs, mirror.Bury(ctx, w.conf.Shelf, others))
	return errors.Join(errs...)
}

// evict takes a member out of the group. One that is not there is out.
func (w *Worker) evict(ctx context.Context, client *kgo.Client, s mirror.Sign) error {
	req := kmsg.NewPtrLeaveGroupRequest() // many members at once since 2.4 (KIP-345); before, MemberID alone
	req.Group, req.MemberID = w.conf.Group.Name, s.Member
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = s.Member
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	codes := []int16{resp.ErrorCode}
	for _, m := range resp.Members {
		codes = append(codes, m.ErrorCode)
	}
	for _, code := range codes {
		if err := kerr.ErrorForCode(code); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
			return err
		}
	}
	return nil
}

// silentFor says for how long this worker may have to wait for partitions of one
// that gives no sign of life, and which; 0: none is known to be silent.
func silentFor(others []mirror.Sign) (left time.Duration, who mirror.Sign) {
	for _, s := range others {
		lease := s.Silence - s.Wait
		if s.Partitions > 0 && s.Lives() && s.Silent > 2*lease/5 && lease-s.Silent > left {
			left, who = lease-s.Silent, s
		}
	}
	return left, who
}
