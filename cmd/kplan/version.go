package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionDoc struct {
	FormatVersion string `json:"format_version"`
	Version       string `json:"version"`
	Go            string `json:"go"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := versionDoc{FormatVersion: formatVersion, Version: version}
			if info, ok := debug.ReadBuildInfo(); ok {
				doc.Go = info.GoVersion
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), doc)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "kplan %s (%s)\n", doc.Version, doc.Go)
			return err
		},
	}
}
