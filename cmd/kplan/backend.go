package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/plan"
)

// onState opens the plan and the place of its state, and closes it afterwards.
// It takes no lock and asks neither cluster of the migration.
func (a *app) onState(cmd *cobra.Command, do func(*plan.Plan, state.Backend) error) (err error) {
	p, _, _, err := a.load(cmd)
	if err != nil {
		return err
	}
	b, err := a.backend(cmd.Context(), p, p.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return do(p, b)
}

// backend opens the place where the plan's state is kept.
func (a *app) backend(ctx context.Context, p *plan.Plan, at plan.State, opts ...state.Option) (state.Backend, error) {
	if at.Backend != "kafka" {
		return state.NewFile(a.stateDir(p, at), time.Now, opts...), nil
	}
	log, err := a.stateLog(ctx, at, kafka.StateTopic(p.Migration.Name), nil)
	if err != nil {
		return nil, err
	}
	return state.NewKafka(log, log.Where(), log.Identity(), time.Now, opts...), nil
}

// shelf opens what lies beside the state: the mirror's maps and directions.
// close ends its connections.
func (a *app) shelf(ctx context.Context, p *plan.Plan, at plan.State) (shelf state.Shelf, close func() error, err error) {
	if at.Backend != "kafka" {
		kept := state.NewFileShelf(a.stateDir(p, at))
		return kept, kept.Close, nil
	}
	log, err := a.stateLog(ctx, at, kafka.ShelfTopic(p.Migration.Name), state.ShelfConfigs())
	if err != nil {
		return nil, nil, err
	}
	kept := state.NewLogShelf(log, log.Where())
	return kept, kept.Close, nil
}

// stateLog opens a topic of the state, with connections of its own.
func (a *app) stateLog(ctx context.Context, at plan.State, topic string, configs map[string]string) (ownLog, error) {
	ep, err := endpoint.Own(a.dir, at.Cluster)
	if err != nil {
		return ownLog{}, err
	}
	client, err := kafka.Open(ctx, ep, at.Cluster.ClusterID, tellWaits())
	if err != nil {
		return ownLog{}, fmt.Errorf("opening the state in cluster %q: %w", at.Cluster.Name, err)
	}
	log, err := client.StateLog(ctx, topic, kafka.StateLogOptions{ReplicationFactor: at.ReplicationFactor, Configs: configs})
	if err != nil {
		return ownLog{}, errors.Join(err, client.Close())
	}
	return ownLog{log, client}, nil
}

// ownLog is a state topic with the client that it has to itself.
type ownLog struct {
	*kafka.StateLog
	client *kafka.Client
}

// Close ends the connections.
func (l ownLog) Close() error { return errors.Join(l.StateLog.Close(), l.client.Close()) }

// stateDir is where the migration's files are: with the file backend its state,
// and always the output of its programs.
func (a *app) stateDir(p *plan.Plan, at plan.State) string {
	path := at.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.dir, path)
	}
	return filepath.Join(path, p.Migration.Name)
}

// crashes returns what KPLAN_CRASH_AFTER and KPLAN_CRASH_BEFORE ask for: kplan
// kills itself after, or just before, that many journal records, as a power cut
// would. Tests use it.
func crashes() ([]state.Option, error) {
	var opts []state.Option
	for name, hook := range map[string]func(func(int)) state.Option{"KPLAN_CRASH_AFTER": state.OnAppend, "KPLAN_CRASH_BEFORE": state.BeforeAppend} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s=%q: want a number of journal records", name, text)
		}
		opts = append(opts, hook(func(records int) {
			if records >= n {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // never returns
			}
		}))
	}
	return opts, nil
}
