package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kplan/docs/schema"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [DOCUMENT]",
		Short: "Print the JSON Schema of what a command writes with --json; without DOCUMENT, list them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(schema.Documents(), "\n"))
				return err
			}
			text, ok := schema.Of(args[0])
			if !ok {
				return fmt.Errorf("there is no schema of %q: there are %s", args[0], strings.Join(schema.Documents(), ", "))
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
