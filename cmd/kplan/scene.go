package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/endpoint"
	"kplan/internal/migration"
	"kplan/plan"
)

// scene is what a command that only reads looks at.
type scene struct {
	plan     *plan.Plan
	sources  *plan.Sources
	clusters *migration.Clusters
	backend  state.Backend
	state    state.State
}

// onScene opens plan, clusters and state, refuses a state that belongs to
// others, and closes the clusters afterwards. It takes no lock.
func (a *app) onScene(cmd *cobra.Command, do func(scene) error) (err error) {
	return a.sceneOf(cmd, func(try func() error) error { return try() }, do)
}

// onSceneOnceThere is onScene for a command that is to run for long: a cluster of
// which no address answers now is waited for.
func (a *app) onSceneOnceThere(cmd *cobra.Command, do func(scene) error) error {
	return a.sceneOf(cmd, func(try func() error) error {
		return endpoint.Await(cmd.Context(), reachPatience, try, func(err error) {
			note(cmd.ErrOrStderr(), "%v. Waiting for it, up to %s.", err, reachPatience)
		})
	}, do)
}

// reachPatience is for how long a cluster is waited for of which nothing answers:
// a broker that starts, a load balancer that changes over; not a wrong address.
const reachPatience = 10 * time.Minute

func (a *app) sceneOf(cmd *cobra.Command, reach func(try func() error) error, do func(scene) error) (err error) {
	p, _, sources, err := a.load(cmd)
	if err != nil {
		return err
	}
	var c *migration.Clusters
	if err := reach(func() (err error) {
		c, err = a.open(cmd.Context(), p)
		return err
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var b state.Backend
	if err := reach(func() (err error) {
		b, err = a.backend(cmd.Context(), p, p.State)
		return err
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	st, err := b.Read(cmd.Context())
	if err != nil {
		return err
	}
	if err := c.Belongs(st, p, b.Where()); err != nil {
		return err
	}
	return do(scene{plan: p, sources: sources, clusters: c, backend: b, state: st})
}
