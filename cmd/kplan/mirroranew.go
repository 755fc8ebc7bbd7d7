package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/boottime"
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
	if err := driver.Alone(ctx, shelf, mirror.NewWatch(boottime.Clock{}.Now, deadHere), "what was copied cannot be forgotten while it is copied", func(text string) { note(cmd.ErrOrStderr(), "%s", text) }); err != nil {
		return err
	}
	if err := empty(ctx, s, topics); err != nil {
		return err
	}
	if err := mirror.NewKeeper(shelf).Forget(ctx, topics); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "What was copied of %s is forgotten; the next kplan apply, or the next worker, begins with their first record.\n", strings.Join(topics, ", "))
	return err
}

// empty refuses topics that hold something on the target: it would be there
// twice.
func empty(ctx context.Context, s scene, topics []string) error {
	selected := s.plan.Migration.Topics.Selects
	if pinned := s.state.Selection; pinned != nil {
		selected = func(topic string) bool { return slices.Contains(pinned.Topics, topic) }
	}
	there, err := s.clusters.Target.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if !selected(t) {
			return fmt.Errorf("topic %q is not among those that the migration has selected", t)
		}
		if _, ok := there[t]; !ok {
			continue
		}
		ends, err := s.clusters.Target.LogEnds(ctx, []string{t})
		if err != nil {
			return err
		}
		for tp, e := range ends {
			if e.LogEnd > 0 {
				return fmt.Errorf("%s is at offset %d on the target: copied anew behind that, records would be there twice. Look who reads and writes it there; then delete topic %q on the target, and kplan apply makes it anew", tp, e.LogEnd, t)
			}
		}
	}
	return nil
}
