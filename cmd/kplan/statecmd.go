package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/plan"
	"kplan/plan/graph"
)

func newState(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "state", Short: "Look into the state, or move it to another place", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStateList(a), newStateShow(a), newStateMove(a))
	return cmd
}

func newStateList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what the state knows, by address", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onState(cmd, func(_ *plan.Plan, b state.Backend) error {
				st, err := b.Read(cmd.Context())
				if err != nil {
					return err
				}
				all := migration.Items(st)
				if a.json {
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string           `json:"format_version"`
						Where         string           `json:"where"`
						Serial        int64            `json:"serial"`
						Items         []migration.Item `json:"items"`
					}{formatVersion, b.Where(), st.Serial, append([]migration.Item{}, all...)})
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "The state in %s, serial %d.\n", b.Where(), st.Serial); err != nil {
					return err
				}
				if len(all) == 0 {
					return nil
				}
				table := tablewriter.NewWriter(cmd.OutOrStdout())
				table.Header("address", "status", "at")
				for _, i := range all {
					at := ""
					if !i.At.IsZero() {
						at = i.At.Format(time.RFC3339)
					}
					if err := table.Append(i.Address, i.Status, at); err != nil {
						return fmt.Errorf("writing the list: %w", err)
					}
				}
				return table.Render()
			})
		},
	}
}

func newStateShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ADDRESS", Short: "Show everything that the state knows of a step, or of what else list shows, as JSON", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				st, err := b.Read(cmd.Context())
				if err != nil {
					return err
				}
				all := migration.Items(st)
				var known []string
				for _, i := range all {
					known = append(known, i.Address)
				}
				address, ok := migration.Resolve(args[0], known)
				s, step := st.Steps[address]
				switch {
				case ok && !step: // a side, a topic that kplan has created, a setting
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string `json:"format_version"`
						migration.Item
					}{formatVersion, all[slices.Index(known, address)]})
				case !ok:
					return fmt.Errorf("the state knows no %s: %s shows what it knows", args[0], a.command("state", "list"))
				}
				doc := struct {
					FormatVersion string           `json:"format_version"`
					Address       string           `json:"address"`
					Status        state.Status     `json:"status"`
					Attempt       int              `json:"attempt"`
					At            time.Time        `json:"at"`
					Error         string           `json:"error,omitempty"`
					Facts         json.RawMessage  `json:"facts,omitempty"`
					Answers       []state.Answer   `json:"answers,omitempty"`
					Fence         *migration.Fence `json:"fence,omitempty"` // of a topic.fence step: what stands (R8)
				}{formatVersion, address, s.Status, s.Attempt, s.At, s.Error, s.Facts, nil, nil}
				for _, f := range executor.Fences(st) {
					if graph.TopicAddress(f.Topic, "fence") == address {
						doc.Fence = &migration.Fences(p, []state.Fence{f})[0]
					}
				}
				for _, id := range slices.Sorted(maps.Keys(st.Answers)) {
					if st.Answers[id].Address == address {
						doc.Answers = append(doc.Answers, st.Answers[id])
					}
				}
				return printJSON(cmd.OutOrStdout(), doc)
			})
		},
	}
}

func newStateMove(a *app) *cobra.Command {
	var fromFile, fromKafka string
	cmd := &cobra.Command{
		Use:   "move",
		Short: "Move the state to where the plan's state block now says, from a directory or from a cluster of the plan",
		Long: "Change the plan's state block first, then run this once. The old place keeps its records and a note of where the state went:\n" +
			"an apply with the old plan refuses to act. A move that was interrupted is finished by running it again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onState(cmd, func(p *plan.Plan, to state.Backend) (err error) {
				at, err := oldPlace(p, fromFile, fromKafka)
				if err != nil {
					return err
				}
				from, err := a.backend(cmd.Context(), p, at)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, from.Close()) }()
				if err := a.moveShelf(cmd.Context(), p, at, from, cmd.ErrOrStderr()); err != nil {
					return err
				}
				copied, err := state.Move(cmd.Context(), from, to, holder(whoami()))
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string `json:"format_version"`
						From          string `json:"from"`
						To            string `json:"to"`
						Records       int    `json:"records"`
					}{formatVersion, from.Where(), to.Where(), copied})
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The state has moved from %s to %s, %d records.\n", from.Where(), to.Where(), copied)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&fromFile, "from-file", "", "the path of the old state block, such as .kplan")
	cmd.Flags().StringVar(&fromKafka, "from-kafka", "", "the cluster of the old state block, by its name in the plan")
	return cmd
}

// oldPlace is the state block as it was.
func oldPlace(p *plan.Plan, path, name string) (plan.State, error) {
	switch {
	case (path == "") == (name == ""):
		return plan.State{}, errors.New("say where the state is now: --from-file PATH, or --from-kafka CLUSTER")
	case path != "":
		return plan.State{Backend: "file", Path: path}, nil
	}
	for _, c := range p.Clusters {
		if c.Name == name {
			return plan.State{Backend: "kafka", Path: p.State.Path, Cluster: c}, nil
		}
	}
	return plan.State{}, fmt.Errorf("--from-kafka %s: the plan has no cluster of that name", name)
}
