package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/migration"
	"kplan/mirror"
	"kplan/mirror/driver"
)

// anew forgets what was copied of topics, so that their copy begins once more.
// kplan deletes no topic: a person has to, where it holds something.
func (a *app) anew(cmd *cobra.Command, s scene, topics []string) (err error) {
	ctx := cmd.Context()
	if s.plan.Migration.Mirror == nil {
		return fmt.Errorf("migration %q has no mirror block: nothing is copied", s.plan.Migration.Name)
	}
	if err := state.Elsewhere(s.state, s.backend); err != nil {
		return err
	}
	held, err := s.backend.Acquire(ctx, holder(whoami()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	shelf, closeShelf, err := a.shelf(ctx, s.plan, s.plan.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeShelf()) }()
	if err := driver.Alone(ctx, shelf, mirror.NewWatch(boottime.Clock{}.Now, migration.DeadHere), "what was copied cannot be forgotten while it is copied", func(text string) { note(cmd.ErrOrStderr(), "%s", text) }); err != nil {
		return err
	}
	if err := s.clusters.MayForget(ctx, s.plan, s.state, topics); err != nil {
		return err
	}
	if err := mirror.NewKeeper(shelf).Forget(ctx, topics); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "What was copied of %s is forgotten; the next kplan apply, or the next worker, begins with their first record.\n", strings.Join(topics, ", "))
	return err
}
