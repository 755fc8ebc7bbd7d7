package main

import (
	"errors"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/plan"
)

// scene is what a command that only reads looks at.
type scene struct {
	plan     *plan.Plan
	sources  *plan.Sources
	clusters *clusters
	backend  state.Backend
	state    state.State
}

// onScene opens plan, clusters and state, refuses a state that belongs to
// others, and closes the clusters afterwards. It takes no lock.
func (a *app) onScene(cmd *cobra.Command, do func(scene) error) (err error) {
	p, _, sources, err := a.load(cmd)
	if err != nil {
		return err
	}
	c, err := a.open(cmd.Context(), p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	b, err := a.backend(cmd.Context(), p, p.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	st, err := b.Read(cmd.Context())
	if err != nil {
		return err
	}
	if err := belongs(st, p, c, b.Where()); err != nil {
		return err
	}
	return do(scene{plan: p, sources: sources, clusters: c, backend: b, state: st})
}
