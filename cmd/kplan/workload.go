package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/internal/workload"
)

// newWorkload is how the services of the demo and of the examples run: the
// binary plays them itself, so that there is nothing to install.
func newWorkload() *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: "workload", Short: "The services of the demo and the examples", Hidden: true}
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "work directory of the services")
	control := func() workload.Control { return workload.Control{Dir: dir, Argv: []string{"workload", "run"}} }
	cmd.AddCommand(
		&cobra.Command{
			Use: "run DIR SERVICE SIDE", Args: cobra.ExactArgs(3),
			RunE: func(cmd *cobra.Command, args []string) error {
				side, err := cluster.ParseSide(args[2])
				if err != nil {
					return err
				}
				log := slog.New(slog.NewTextHandler(os.Stderr, nil))
				err = workload.Serve(cmd.Context(), log, args[0], args[1], side)
				if errors.Is(err, executor.ErrInterrupted) || errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			},
		},
		sideCommand("start", func(ctx context.Context, service string, side cluster.Side) error {
			return control().Start(ctx, service, side)
		}),
		sideCommand("stop", func(ctx context.Context, service string, side cluster.Side) error {
			return control().Stop(ctx, service, side)
		}),
		&cobra.Command{
			Use: "check SERVICE", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				sides, err := control().Check(args[0])
				for _, s := range sides {
					if _, perr := fmt.Fprintln(cmd.OutOrStdout(), s); perr != nil {
						return perr
					}
				}
				return err
			},
		},
	)
	return cmd
}

func sideCommand(verb string, do func(context.Context, string, cluster.Side) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SERVICE SIDE", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			side, err := cluster.ParseSide(args[1])
			if err != nil {
				return err
			}
			return do(cmd.Context(), args[0], side)
		},
	}
}
