package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func startKeeper(t *testing.T) *Keeper {
	t.Helper()
	k, err := StartKeeper(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(keeperSocket, k.socket())
	return k
}

// One owner at a time has a turn, one owner may have several, and a turn that
// its owner dies with is free again.
func TestKeeperGivesTurns(t *testing.T) {
	k := startKeeper(t)
	take := func(ctx context.Context, owner string) error {
		resp, err := ask(ctx, keeperClient(), "turn/"+owner, nil)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = resp.Body.Close() })
		}
		return err
	}
	first, end := context.WithCancel(t.Context())
	for range 2 {
		if err := take(first, "a"); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := take(short, "b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another has the turn: %v", err)
	}
	end()
	if err := take(t.Context(), "b"); err != nil {
		t.Errorf("after it: %v", err)
	}
	if k.owner != "b" {
		t.Errorf("it is %s's turn", k.owner)
	}
}

// What several processes ask for is started once, and its faults are nobody's.
func TestKeeperSharesOnRealBrokers(t *testing.T) {
	startKeeper(t)
	var got [2]*Cluster
	var group errgroup.Group
	for i := range got {
		group.Go(func() (err error) {
			got[i], err = fromKeeper(keeperClient(), Options{Version: V4_3_0, Listeners: []Listener{SASLTLS}, Users: stockUsers()})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	one, two := fmt.Sprint(got[0].Bootstrap(SASLTLS), got[0].ClusterID()), fmt.Sprint(got[1].Bootstrap(SASLTLS), got[1].ClusterID())
	if one != two || len(got[0].Bootstrap(SASLTLS)) != 1 {
		t.Errorf("two processes have %s and %s", one, two)
	}
	if err := got[0].Kill(1); err == nil {
		t.Error("a shared broker was killed")
	}
	if got[0].Logs() == "" {
		t.Error("its log cannot be read")
	}
}
