package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/plan"
	"kplan/plan/graph"
)

// answerWait is for how long a command waits to hear what the apply that runs
// says of its request.
const answerWait = 5 * time.Second

func newDone(a *app) *cobra.Command {
	return a.requestCommand("done STEP", "Say that a manual step is done", cobra.ExactArgs(1),
		func(p *plan.Plan, st state.State, args []string) (state.Request, error) {
			address, known := resolve(args[0], slices.Collect(maps.Keys(st.Steps)))
			r := state.Request{Verb: state.VerbDone, Address: address}
			status := st.Steps[address].Status
			// A restore that was refused waits for a person, too: to say that the
			// service runs on the source again (R13).
			if !known || status != state.Parked && !(status == state.Failed && migration.IsRestore(address)) {
				return r, fmt.Errorf("step %s does not wait for anybody: %s", args[0], a.waiting(st))
			}
			return r, nil
		})
}

func newApprove(a *app) *cobra.Command {
	var as string
	cmd := a.requestCommand("approve GATE", "Give an approval that a gate waits for", cobra.ExactArgs(1),
		func(p *plan.Plan, st state.State, args []string) (state.Request, error) {
			g, err := gateOf(p, args[0])
			if err != nil {
				return state.Request{}, err
			}
			r := state.Request{Verb: state.VerbApprove, Address: graph.GateAddress(g.Name), As: as}
			return r, mayApprove(p, st, g, as)
		})
	cmd.Flags().StringVar(&as, "as", "", "which approval of the gate, where it has several")
	return cmd
}

// mayApprove says at once what the apply would say later.
func mayApprove(p *plan.Plan, st state.State, g *plan.Gate, as string) error {
	if len(g.Approvals) == 0 {
		return fmt.Errorf("%s asks for no approval: it opens when its conditions hold", graph.GateAddress(g.Name))
	}
	var names []string
	for _, a := range g.Approvals {
		names = append(names, a.Name)
	}
	if _, ok := executor.Asked(g, as); !ok {
		if as == "" {
			return fmt.Errorf("%s asks for several approvals: say which one with --as, one of %s", graph.GateAddress(g.Name), strings.Join(names, ", "))
		}
		return fmt.Errorf("%s has no approval %q: it has %s", graph.GateAddress(g.Name), as, strings.Join(names, ", "))
	}
	status := st.Steps[graph.GateAddress(g.Name)].Status
	if (status == state.Parked || status == state.Running) && st.PlanHash != p.Hash() {
		return fmt.Errorf("the gate waits in an apply of plan %.12s, and the files here are plan %.12s: an approval counts for one plan only. Check out the plan that is applied, or apply this one", st.PlanHash, p.Hash())
	}
	return nil
}

func newReject(a *app) *cobra.Command {
	var reason string
	cmd := a.requestCommand("reject GATE", "Close a gate: the apply that waits there fails, and approvals that were given are void", cobra.ExactArgs(1),
		func(p *plan.Plan, st state.State, args []string) (state.Request, error) {
			g, err := gateOf(p, args[0])
			if err != nil {
				return state.Request{}, err
			}
			return state.Request{Verb: state.VerbReject, Address: graph.GateAddress(g.Name), Reason: reason}, nil
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it")
	return cmd
}

// gateOf finds a gate by name or address.
func gateOf(p *plan.Plan, name string) (*plan.Gate, error) {
	var names []string
	for _, g := range p.Migration.Gates {
		address := graph.GateAddress(g.Name)
		if _, meant := resolve(name, []string{address}); meant || g.Name == name {
			return g, nil
		}
		names = append(names, address)
	}
	if len(names) == 0 {
		return nil, errors.New("the plan has no gates")
	}
	return nil, fmt.Errorf("the plan has no gate %q: it has %s", name, strings.Join(names, ", "))
}

// steering makes the verbs that concern the run as a whole.
func newSteering(a *app, verb state.Verb, short string) *cobra.Command {
	var reason string
	cmd := a.requestCommand(string(verb), short, cobra.NoArgs,
		func(p *plan.Plan, st state.State, _ []string) (state.Request, error) {
			r := state.Request{Verb: verb, Reason: reason}
			if verb == state.VerbResume && st.Paused == nil {
				return r, fmt.Errorf("nothing is paused. A pause that no apply has taken up yet is taken back with %s", a.command("withdraw", "REQUEST"))
			}
			if verb == state.VerbAbort && (st.Began == nil || st.Ended != nil) {
				return r, errors.New("no apply runs: there is nothing to abort")
			}
			return r, nil
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it")
	return cmd
}

func newSet(a *app) *cobra.Command {
	return a.requestCommand("set ADDRESS.ATTRIBUTE=VALUE", "Change a limit of a step or gate, while apply runs or for the next one", cobra.ExactArgs(1),
		func(p *plan.Plan, st state.State, args []string) (state.Request, error) {
			i := strings.LastIndexByte(args[0], '=')
			if i < 0 {
				return state.Request{}, fmt.Errorf("%s: want ADDRESS.ATTRIBUTE=VALUE", args[0])
			}
			r := state.Request{Verb: state.VerbSet, Address: args[0][:i], Value: args[0][i+1:]}
			g, err := migration.KnownGraph(p, st)
			if err != nil {
				return r, err
			}
			if at := strings.LastIndexByte(r.Address, '.'); at >= 0 {
				if address, known := resolve(r.Address[:at], g.Addresses()); known {
					r.Address = address + r.Address[at:]
				}
			}
			return r, executor.CheckSetting(g, r.Address, r.Value)
		})
}

// requestCommand is a command that leaves a request and says what became of it.
func (a *app) requestCommand(use, short string, args cobra.PositionalArgs, make func(*plan.Plan, state.State, []string) (state.Request, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short + "; the apply that runs, or the next one, takes it up", Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				st, err := b.Read(cmd.Context())
				if err != nil {
					return err
				}
				r, err := make(p, st, args)
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
	answer, err := heard(cmd.Context(), b, id)
	if err != nil {
		return err
	}
	if answer == nil {
		answer = &state.Answer{Request: r, Standing: requested}
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

// requested is the standing of what nobody has seen yet.
const requested state.Standing = "requested"

func (a *app) told(answer state.Answer) string {
	what := strings.TrimSpace(string(answer.Verb) + " " + answer.Address)
	text := fmt.Sprintf("%s by %s: %s (request %s)", what, answer.Who, answer.Standing, answer.ID)
	switch {
	case answer.Why != "":
		text += ": " + answer.Why
	case answer.Standing == requested:
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

// heard waits a moment for what the apply that runs says; nil: none does, or it
// has said nothing yet.
func heard(ctx context.Context, b state.Backend, id string) (*state.Answer, error) {
	holder, err := b.Holder(ctx)
	if err != nil || holder == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	var last *state.Answer
	for {
		st, err := b.Read(ctx)
		if ctx.Err() != nil {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		if answer, ok := st.Answers[id]; ok {
			last = &answer
			if !immediate(answer.Verb) || answer.Standing != state.Accepted {
				return last, nil
			}
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// immediate reports whether a request has its effect as soon as it is accepted.
func immediate(v state.Verb) bool {
	switch v {
	case state.VerbPause, state.VerbResume, state.VerbAbort, state.VerbSet:
		return true
	case state.VerbDone, state.VerbApprove, state.VerbReject, state.VerbVerified:
	}
	return false
}

func newWithdraw(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "withdraw REQUEST", Short: "Take a request back that has not taken effect yet", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				err := b.Withdraw(cmd.Context(), args[0])
				switch {
				case errors.Is(err, state.ErrTaken):
					return fmt.Errorf("request %s has taken effect already and cannot be withdrawn", args[0])
				case errors.Is(err, state.ErrNoRequest):
					st, err := b.Read(cmd.Context())
					if answer, known := st.Answers[args[0]]; known && answer.Standing != state.Accepted {
						return fmt.Errorf("request %s cannot be withdrawn: it is %s already", args[0], answer.Standing)
					}
					return errors.Join(fmt.Errorf("the inbox has no request %s: %s shows what waits", args[0], a.command("status")), err)
				case err != nil:
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), struct {
						FormatVersion string         `json:"format_version"`
						ID            string         `json:"id"`
						Standing      state.Standing `json:"standing"`
					}{formatVersion, args[0], state.Withdrawn})
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Request %s is withdrawn.\n", args[0])
				return err
			})
		},
	}
}

func (a *app) waiting(st state.State) string {
	text := ""
	for _, address := range slices.Sorted(maps.Keys(st.Steps)) {
		if s := st.Steps[address]; s.Status == state.Parked || s.Status == state.Failed && migration.IsRestore(address) {
			text += " " + address
		}
	}
	if text == "" {
		return "no step does. " + a.command("status") + " shows where the migration stands"
	}
	return "these do:" + text
}
