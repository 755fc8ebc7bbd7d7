package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
)

func newDone(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "done STEP",
		Short: "Say that a manual step is done; the apply that runs, or the next one, takes it up",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			dir := a.stateDir(p)
			st, err := state.Read(dir)
			if err != nil {
				return err
			}
			status := st.Steps[args[0]].Status
			// A restore that was refused waits for a person, too: to say that the
			// service runs on the source again (R13).
			if status != state.Parked && !(status == state.Failed && isRestore(args[0])) {
				return fmt.Errorf("step %s does not wait for anybody: %s", args[0], waiting(st))
			}
			who, host := whoami()
			answer := state.Answer{Request: state.Request{Verb: "done", Address: args[0], Who: who, From: host, At: time.Now().UTC()}}
			if err := state.Put(dir, answer); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Noted: %s is done, says %s. An apply that runs goes on now; else run kplan apply.\n", args[0], who)
			return err
		},
	}
}

func waiting(st state.State) string {
	text := ""
	for address, s := range st.Steps {
		if s.Status == state.Parked || s.Status == state.Failed && isRestore(address) {
			text += " " + address
		}
	}
	if text == "" {
		return "no step does. kplan status shows where the migration stands"
	}
	return "these do:" + text
}
