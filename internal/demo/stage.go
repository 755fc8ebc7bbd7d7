package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"kplan/examples"
	"kplan/internal/cluster"
	"kplan/internal/workload"
)

// Options describe a stage.
type Options struct {
	Dir        string // of the stage; made if it is missing
	Example    string // one of examples.Names
	Name       string // replaces the word orders in every name, so that stages can share clusters; "": orders
	Executable string // the kplan binary
	Source     workload.Connection
	Target     workload.Connection
	Replicas   int                      // replication factor on the target; 0: 1
	Partitions int                      // of each topic; 0: 3
	Rate       int                      // records a second; 0: 200
	Keys       int                      // 0: 20
	Pace       int                      // records a second that pricing handles at most; 0: no bound
	Linger     time.Duration            // producers write on for so long after they said that they are gone
	Logins     map[string]workload.SASL // of services on the source; else they log in as Source says
	Plan       func(text string) string // changes the example's text; nil: as it is
}

// Stage is a set stage.
type Stage struct {
	Options
	PlanDir string
	Control workload.Control

	disown func() error
}

// Set writes the plan and the services' definitions and creates the topics on
// the source. It starts nothing. The services end with this process.
func Set(o Options) (*Stage, error) {
	s := &Stage{Options: o, PlanDir: filepath.Join(o.Dir, "plan")}
	services := filepath.Join(o.Dir, "services")
	s.Control = workload.Control{Dir: services, Executable: o.Executable, Argv: []string{"workload", "run"}}
	if err := os.MkdirAll(s.PlanDir, 0o755); err != nil {
		return nil, fmt.Errorf("making the stage's directory: %w", err)
	}
	if err := examples.Write(o.Example, s.PlanDir); err != nil {
		return nil, err
	}
	if err := s.writePlan(); err != nil {
		return nil, err
	}
	events, priced, pricing, billing := s.name("orders.events"), s.name("orders.priced"), s.name("orders-pricing"), s.name("orders-billing")
	rate, keys := max(o.Rate, 1), max(o.Keys, 1)
	if o.Rate == 0 {
		rate = 200
	}
	if o.Keys == 0 {
		keys = 20
	}
	defs := workload.Services{Services: []workload.Service{
		{Name: "shop", Role: workload.Producer, Produces: []string{events}, Rate: rate, Keys: keys, Linger: o.Linger},
		{Name: "pricing", Role: workload.Processor, Consumes: []string{events}, Produces: []string{priced}, Group: pricing, Pace: o.Pace},
		{Name: "billing", Role: workload.Consumer, Consumes: []string{priced}, Group: billing},
	}}
	for i := range defs.Services {
		if login, own := o.Logins[defs.Services[i].Name]; own {
			defs.Services[i].Logins = map[string]workload.SASL{cluster.Source.String(): login}
		}
	}
	if err := workload.WriteServices(services, defs); err != nil {
		return nil, err
	}
	for side, c := range map[cluster.Side]workload.Connection{cluster.Source: o.Source, cluster.Target: o.Target} {
		if err := workload.WriteConnection(services, side, c); err != nil {
			return nil, err
		}
	}
	if err := s.createTopics(); err != nil {
		return nil, err
	}
	var err error
	s.disown, err = workload.Own(services)
	return s, err
}

func (s *Stage) writePlan() error {
	path := filepath.Join(s.PlanDir, "orders.kplan.hcl")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	text := s.name(string(data))
	if s.Plan != nil {
		text = s.Plan(text)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	values := fmt.Sprintf("old      = [%s]\nnew      = [%s]\nreplicas = %d\n", quoted(s.Source.Bootstrap), quoted(s.Target.Bootstrap), max(s.Replicas, 1))
	if err := os.WriteFile(filepath.Join(s.PlanDir, "demo.auto.kpvars.hcl"), []byte(values), 0o644); err != nil {
		return fmt.Errorf("writing the plan's variables: %w", err)
	}
	return nil
}

// name puts the stage's own word where the examples say orders.
func (s *Stage) name(text string) string {
	if s.Name == "" {
		return text
	}
	return strings.ReplaceAll(text, "orders", s.Name)
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

// createTopics gives the topics of the examples a config each that parity has
// to carry over.
func (s *Stage) createTopics() error {
	partitions := s.Partitions
	if partitions == 0 {
		partitions = 3
	}
	return workload.CreateTopics(s.Control.Dir, s.Source, []workload.Topic{
		{Name: s.name("orders.events"), Partitions: partitions, Replicas: 1, Configs: map[string]string{"retention.ms": "86400000", "min.insync.replicas": "1"}},
		{Name: s.name("orders.priced"), Partitions: partitions, Replicas: 1, Configs: map[string]string{"max.message.bytes": "2097152"}},
	})
}

// Start starts all services on the source, readers first, so that with
// auto.offset.reset=latest they miss nothing.
func (s *Stage) Start(ctx context.Context) error {
	for _, name := range []string{"billing", "pricing", "shop"} {
		if err := s.Control.Start(ctx, name, cluster.Source); err != nil {
			return err
		}
	}
	return nil
}

// Environ is what the plan's programs need beside the environment.
func (s *Stage) Environ() []string {
	return []string{"EXAMPLE_KPLAN=" + s.Executable, "EXAMPLE_WORKLOAD=" + s.Control.Dir}
}

// Finish stops the producers, waits until everything that was written has been
// read, stops the rest, and proves what happened. What has not arrived when
// nothing has been read for the time of stall counts as lost.
func (s *Stage) Finish(ctx context.Context, stall time.Duration) (workload.Report, error) {
	err := s.stop(ctx, "shop")
	if err == nil {
		err = s.awaitConsumed(ctx, stall)
	}
	stopCtx := context.WithoutCancel(ctx)
	err = errors.Join(err, s.stop(stopCtx, "pricing"), s.stop(stopCtx, "billing"))
	if err != nil {
		return workload.Report{}, err
	}
	return workload.Prove(s.Control.Dir)
}

var errStalled = errors.New("nothing has been read for a while")

func (s *Stage) awaitConsumed(ctx context.Context, stall time.Duration) error {
	follow, err := workload.Follow(s.Control.Dir)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		var last workload.Counts
		since := time.Now()
		for {
			select {
			case <-waiting.Done():
				return
			case <-tick.C:
			}
			now, err := follow.Read()
			if err != nil {
				cancel(err)
				return
			}
			if !reflect.DeepEqual(now, last) {
				last, since = now, time.Now()
			} else if time.Since(since) > stall {
				cancel(errStalled)
				return
			}
		}
	}()
	err = workload.AwaitConsumed(waiting, s.Control.Dir)
	if errors.Is(context.Cause(waiting), errStalled) {
		return nil // the proof says what is missing
	}
	return err
}

func (s *Stage) stop(ctx context.Context, name string) error {
	sides, err := s.Control.Check(name)
	if err != nil {
		return err
	}
	for _, side := range sides {
		err = errors.Join(err, s.Control.Stop(ctx, name, side))
	}
	return err
}

// Close ends whatever still runs.
func (s *Stage) Close() error {
	return errors.Join(s.Control.KillAll(context.Background()), s.disown())
}
