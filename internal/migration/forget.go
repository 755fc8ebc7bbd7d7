package migration

import (
	"context"
	"fmt"
	"slices"

	"kplan/executor/state"
	"kplan/plan"
)

// MayForget refuses topics whose copy cannot begin once more: those that the
// migration has not selected, and those that hold something on the target, which
// would be there twice.
func (c *Clusters) MayForget(ctx context.Context, p *plan.Plan, st state.State, topics []string) error {
	selected := p.Migration.Topics.Selects
	if pinned := st.Selection; pinned != nil {
		selected = func(topic string) bool { return slices.Contains(pinned.Topics, topic) }
	}
	there, err := c.Target.TopicsNamed(ctx, topics)
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
		ends, err := c.Target.LogEnds(ctx, []string{t})
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
