package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
)

// liftWithout is after how long a restore goes on without a broker that cannot
// be asked whether it has forgotten the fence: a service that is down is worse
// than writes that a broken broker refuses.
const liftWithout = 30 * time.Second

// Fences returns the fences that stand, or were about to, by topic (R8).
func Fences(st state.State) []state.Fence {
	var all []state.Fence
	for _, t := range slices.Sorted(maps.Keys(st.Fences)) {
		all = append(all, st.Fences[t])
	}
	return all
}

// LiftCommands are what a person types to take a fence away from the source:
// what denies first, then what was written so that it denies nobody else.
func LiftCommands(source *plan.Cluster, f state.Fence) []string {
	words := []string{"kafka-acls", "--bootstrap-server", strings.Join(source.Bootstrap, ",")}
	if source.TLS != nil || source.SASL != nil {
		words = append(words, "--command-config", "admin.properties")
	}
	words = append(words, "--remove", "--force")
	var all []string
	for _, a := range slices.Concat(f.Deny, f.Allow) {
		who := []string{"--" + a.Permission + "-principal", a.Principal, "--" + a.Permission + "-host", a.Host}
		what := []string{"--operation", strings.ToUpper(a.Operation[:1]) + a.Operation[1:], "--topic", a.Name}
		all = append(all, cluster.CommandLine(slices.Concat(words, who, what)...))
	}
	return all
}

func (r *run) liftCommands(service *plan.Service) []string {
	var all []string
	for _, t := range service.Produces {
		if f := r.fenceOf(t.Name); f.Topic != "" {
			all = append(all, LiftCommands(r.Plan.Migration.Source, f)...)
		}
	}
	return all
}

// lift takes the fences away from the topics that a service writes: it goes back
// to the source (R13). Only what kplan has added, or was about to add.
func (r *run) lift(ctx context.Context, service *plan.Service) error {
	for _, t := range service.Produces {
		f := r.fenceOf(t.Name)
		if f.Topic == "" {
			continue
		}
		for _, some := range [][]cluster.ACL{f.Deny, f.Allow} {
			if len(some) == 0 {
				continue
			}
			refused, err := r.Source.DeleteACLs(ctx, some)
			if errors.Is(err, cluster.ErrNotShown) {
				err = nil // waited for below, for longer: meanwhile the service is down
			}
			if err := errors.Join(append(refusals(refused), err)...); err != nil {
				return fmt.Errorf("lifting the fence of %q: %w", t.Name, err)
			}
			told := ""
			gone := awaited{rules: some, limit: fenceLimit, without: liftWithout, tell: func(text string) {
				if text != told {
					told = text
					r.emit(Noted{Text: "lifting the fence of " + t.Name + ": " + text})
				}
			}}
			if _, err := r.everyBroker(ctx, gone); err != nil {
				return fmt.Errorf("lifting the fence of %q: %w", t.Name, err)
			}
		}
		if err := r.record(state.Record{Fence: &state.Fence{Topic: t.Name, Lifted: true}}); err != nil {
			return err
		}
		r.emit(Noted{Text: fmt.Sprintf("the fence of %s on the source is lifted", t.Name)})
	}
	return nil
}
