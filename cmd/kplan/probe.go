package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/internal/cluster"
	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// probeDoc is the JSON document of probe.
type probeDoc struct {
	FormatVersion string                `json:"format_version"`
	Migration     string                `json:"migration"`
	At            time.Time             `json:"at"`
	From          string                `json:"from"` // the machine that asked
	Listeners     []probedListener      `json:"listeners"`
	Conformance   []migration.Conformed `json:"conformance,omitempty"` // of --conformance: source, target
	Load          *migration.Borne      `json:"load,omitempty"`        // of --load
	Checks        []diff.Check          `json:"checks"`
	Summary       map[string]int        `json:"summary"`
	ExitCode      int                   `json:"exit_code"`
}

type probedListener struct {
	Cluster   string          `json:"cluster"`
	Listener  string          `json:"listener"` // "": the cluster's own
	ClusterID string          `json:"cluster_id"`
	TLS       bool            `json:"tls"`
	Mechanism string          `json:"mechanism,omitempty"`
	Addresses []probedAddress `json:"addresses"`
}

type probedAddress struct {
	Address      string                `json:"address"`
	Broker       *int32                `json:"broker,omitempty"` // absent: an address of bootstrap only
	Certificates []cluster.Certificate `json:"certificates,omitempty"`
	Failed       cluster.Stage         `json:"failed,omitempty"`
}

func newProbe(a *app) *cobra.Command {
	t := &trials{}
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Check every listener of both clusters from where it runs; reads no state, writes nothing unless asked to",
		Long: "probe asks every listener that the plan declares for its brokers, and speaks to each of them at the\n" +
			"address that it advertises, with the listener's TLS and credentials. Run it in the network of the\n" +
			"services' clients: what they would see may differ from what kplan sees elsewhere.\n\n" +
			"With --conformance it tries on each cluster what the mirror relies on, with --load it writes to the\n" +
			"target what the source is written: on scratch topics (_kplan.conformance.*, _kplan.load.*) that it\n" +
			"creates and deletes, and only with --yes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			return a.reported(cmd, func(cmd *cobra.Command, found *report.Findings) error { return a.probe(cmd, t, found) })
		},
	}
	t.flags(cmd)
	return cmd
}

func (a *app) probe(cmd *cobra.Command, t *trials, found *report.Findings) error {
	p, _, _, err := a.load(cmd)
	if err != nil {
		return err
	}
	seen, err := migration.Listen(cmd.Context(), p, tellWaits())
	if err != nil {
		return err
	}
	doc := probed(p, seen, time.Now().UTC())
	tried := t.run(cmd.Context(), a, p, &doc)
	found.Migration, found.Checks = doc.Migration, doc.Checks
	found.Text = func(w io.Writer) error { return writeProbe(w, doc) }
	found.JSON = func(w io.Writer) error { return printJSON(w, doc) }
	if tried != nil {
		return tried
	}
	if a.json {
		err = printJSON(cmd.OutOrStdout(), doc)
	} else {
		err = writeProbe(cmd.OutOrStdout(), doc)
	}
	if err == nil && doc.ExitCode != exitDone {
		err = &codedError{code: doc.ExitCode}
	}
	return err
}

func probed(p *plan.Plan, seen []cluster.Listening, now time.Time) probeDoc {
	_, host := whoami()
	doc := probeDoc{
		FormatVersion: formatVersion, Migration: p.Migration.Name, At: now, From: host,
		Checks: diff.Waive(p.Migration, migration.Reachable(p, seen, now)),
	}
	for _, l := range seen {
		one := probedListener{Cluster: l.Cluster, Listener: l.Listener, ClusterID: l.ClusterID, TLS: l.TLS, Mechanism: l.Mechanism}
		for _, c := range l.Contacts {
			address := probedAddress{Address: c.Address, Certificates: c.Certificates, Failed: c.Failed}
			if c.Broker >= 0 {
				address.Broker = &c.Broker
			}
			one.Addresses = append(one.Addresses, address)
		}
		doc.Listeners = append(doc.Listeners, one)
	}
	doc.judge()
	return doc
}

// judge says what the checks come to.
func (d *probeDoc) judge() {
	summary, outcome := migration.Tally(d.Checks)
	d.Summary, d.ExitCode = summary, outcomeCode(outcome)
}

func writeProbe(w io.Writer, doc probeDoc) error {
	var b strings.Builder
	if err := report.Checks(&b, doc.Checks); err != nil {
		return err
	}
	for _, c := range doc.Conformance {
		fmt.Fprintf(&b, "A mirror to cluster %s: %s.\n", c.Cluster, c.Mirror)
	}
	fmt.Fprintf(&b, "%s from %s: %s.\n", doc.Migration, doc.From, report.Tally(doc.Summary))
	_, err := io.WriteString(w, b.String())
	return err
}
