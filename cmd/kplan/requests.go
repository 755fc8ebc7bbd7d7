package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/plan"
)

func newDone(a *app) *cobra.Command {
	return a.requestCommand("done STEP", "Say that a manual step is done", cobra.ExactArgs(1),
		func(r migration.Requests, args []string) (state.Request, error) { return r.Done(args[0]) })
}

func newApprove(a *app) *cobra.Command {
	var as string
	cmd := a.requestCommand("approve GATE", "Give an approval that a gate waits for", cobra.ExactArgs(1),
		func(r migration.Requests, args []string) (state.Request, error) { return r.Approve(args[0], as) })
	cmd.Flags().StringVar(&as, "as", "", "which approval of the gate, where it has several")
	return cmd
}

func newReject(a *app) *cobra.Command {
	var reason string
	cmd := a.requestCommand("reject GATE", "Close a gate: the apply that waits there fails, and approvals that were given are void", cobra.ExactArgs(1),
		func(r migration.Requests, args []string) (state.Request, error) { return r.Reject(args[0], reason) })
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it")
	return cmd
}

// newSteering makes the verbs that concern the run as a whole.
func newSteering(a *app, verb state.Verb, short string) *cobra.Command {
	var reason string
	cmd := a.requestCommand(string(verb), short, cobra.NoArgs,
		func(r migration.Requests, _ []string) (state.Request, error) { return r.Steer(verb, reason) })
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it")
	return cmd
}

func newSet(a *app) *cobra.Command {
	return a.requestCommand("set ADDRESS.ATTRIBUTE=VALUE", "Change a limit of a step or gate, while apply runs or for the next one", cobra.ExactArgs(1),
		func(r migration.Requests, args []string) (state.Request, error) { return r.Set(args[0]) })
}

// requestCommand is a command that leaves a request and says what became of it.
func (a *app) requestCommand(use, short string, args cobra.PositionalArgs, make func(migration.Requests, []string) (state.Request, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short + "; the apply that runs, or the next one, takes it up", Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				st, err := b.Read(cmd.Context())
				if err != nil {
					return err
				}
				r, err := make(migration.Requests{Plan: p, State: st, Command: a.command}, args)
				if err != nil {
					return err
				}
				return a.request(cmd, b, p, r)
			})
		},
	}
}

// request leaves a request, and waits a moment for the apply that runs.
func (a *app) request(cmd *cobra.Command, b state.Backend, p *plan.Plan, r state.Request) error {
	id, err := newRequestID()
	if err != nil {
		return err
	}
	r.ID, r.At, r.PlanHash = id, time.Now().UTC(), p.Hash()
	r.Who, r.From = whoami()
	if err := b.Put(cmd.Context(), r); err != nil {
		return err
	}
	answer, err := migration.Heard(cmd.Context(), b, id)
	if err != nil {
		return err
	}
	if answer == nil {
		answer = &state.Answer{Request: r, Standing: migration.Requested}
	}
	if a.json {
		err = printJSON(cmd.OutOrStdout(), requestDoc{formatVersion, *answer})
	} else {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), a.told(*answer))
	}
	if err == nil && answer.Standing == state.Refused {
		err = &codedError{code: exitError}
	}
	return err
}

// requestDoc is the JSON document of the commands that leave a request.
type requestDoc struct {
	FormatVersion string `json:"format_version"`
	state.Answer
}

func (a *app) told(answer state.Answer) string {
	what := strings.TrimSpace(string(answer.Verb) + " " + answer.Address)
	text := fmt.Sprintf("%s by %s: %s (request %s)", what, answer.Who, answer.Standing, answer.ID)
	switch {
	case answer.Why != "":
		text += ": " + answer.Why
	case answer.Standing == migration.Requested:
		text += fmt.Sprintf(". No apply has taken it up yet: run %s, or take it back with %s", a.command("apply"), a.command("withdraw", answer.ID))
	}
	return text
}

func newRequestID() (string, error) {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("making an id: %w", err)
	}
	return hex.EncodeToString(id), nil
}

func newWithdraw(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw REQUEST", Short: "Take a request back that has not taken effect yet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				if err := migration.Withdraw(cmd.Context(), b, args[0], a.command); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string         `json:"format_version"`
						ID            string         `json:"id"`
						Standing      state.Standing `json:"standing"`
					}{formatVersion, args[0], state.Withdrawn})
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Request %s is withdrawn.\n", args[0])
				return err
			})
		},
	}
}
