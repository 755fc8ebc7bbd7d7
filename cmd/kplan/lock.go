package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/plan"
)

// holder is this process as the lock's holder.
func holder(who, host string) state.Holder {
	return state.Holder{Who: who, Host: host, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
}

// lockDoc is the JSON document of lock.
type lockDoc struct {
	FormatVersion string        `json:"format_version"`
	Where         string        `json:"where"`
	Holder        *state.Holder `json:"holder"` // null: nobody
}

func newLock(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "lock", Short: "Show who holds the lock of the state, and for how long", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onState(cmd, func(_ *plan.Plan, b state.Backend) error {
				h, err := b.Holder(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), lockDoc{FormatVersion: formatVersion, Where: b.Where(), Holder: h})
				}
				if h == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "Nobody holds the lock of the state in %s.\n", b.Where())
					return err
				}
				text := fmt.Sprintf("The state in %s is locked by %s, %s ago", b.Where(), h, age(h.Since))
				if !h.Beat.IsZero() {
					text += fmt.Sprintf("; the last sign of life was %s ago", age(h.Beat))
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s.\nid %s, epoch %d\n", text, h.ID, h.Epoch)
				return err
			})
		},
	}
}

func age(at time.Time) time.Duration { return max(0, time.Since(at)).Round(time.Second) }

func newUnlock(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "unlock ID", Short: "Take the lock away from a holder that is gone for good; it finds out before its next effect", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(_ *plan.Plan, b state.Backend) error {
				if err := b.Unlock(cmd.Context(), args[0], holder(whoami())); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string `json:"format_version"`
						Where         string `json:"where"`
						Unlocked      string `json:"unlocked"`
					}{formatVersion, b.Where(), args[0]})
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "The lock %s of the state in %s is taken away. If its holder still lives, it ends before its next effect, with exit code %d, or %d where a service stands stopped.\n", args[0], b.Where(), exitLocked, exitStranded)
				return err
			})
		},
	}
}
