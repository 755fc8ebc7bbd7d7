package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/migration"
	"kplan/internal/scratch"
	"kplan/plan"
	"kplan/plan/diff"
)

// trials are the parts of probe that write, each to a scratch topic of its own.
type trials struct {
	conformance bool
	load        bool
	yes         bool
	times       float64       // of the source's rate
	rate        string        // "": measured
	window      time.Duration // of the measurement
	lasting     time.Duration // of the load
}

func (t *trials) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&t.conformance, "conformance", false, "try the mirror's techniques on a scratch topic of each cluster (R22); needs --yes")
	f.BoolVar(&t.load, "load", false, "write what the source is written, several times over, to a scratch topic on the target; needs --yes")
	f.BoolVar(&t.yes, "yes", false, "scratch topics may be created and deleted")
	f.Float64Var(&t.times, "times", 2, "with --load: how many times the source's rate")
	f.StringVar(&t.rate, "rate", "", "with --load: the source's peak, such as 80MiB a second, instead of measuring its rate now")
	f.DurationVar(&t.window, "window", 10*time.Second, "with --load: for how long the source's rate is measured")
	f.DurationVar(&t.lasting, "for", 10*time.Second, "with --load: how long to write")
}

// leastLoad is written where the source is quiet: what it takes then says little,
// and something has to be written to find out that it can be.
const leastLoad = 64 << 10 // bytes a second

const (
	loadPartitions = 12      // enough for the brokers of most clusters to lead some
	usualRecord    = 1 << 10 // bytes, where the source has no record or does not tell sizes
)

// check refuses flags that make no sense, before anything is asked.
func (t *trials) check(cmd *cobra.Command) error {
	writes := t.conformance || t.load
	switch {
	case writes && !t.yes:
		return errors.New("probe --conformance and --load create a scratch topic, write to it, and delete it: add --yes to allow that")
	case t.yes && !writes:
		return errors.New("--yes is for probe --conformance and --load: probe alone writes nothing")
	}
	for _, name := range []string{"times", "rate", "window", "for"} {
		if cmd.Flags().Changed(name) && !t.load {
			return fmt.Errorf("--%s is for probe --load", name)
		}
	}
	switch {
	case t.times <= 0 || t.times > 1000:
		return fmt.Errorf("--times %v: want more than 0 and at most 1000", t.times)
	case t.window < time.Second || t.window > time.Hour:
		return fmt.Errorf("--window %s: want 1s to 1h", t.window)
	case t.lasting < time.Second || t.lasting > 10*time.Minute:
		return fmt.Errorf("--for %s: want 1s to 10m", t.lasting)
	}
	if t.rate != "" {
		if n, err := plan.ParseBytes(t.rate); err != nil || n < 1 {
			return fmt.Errorf("--rate %s: want bytes a second with a unit, such as 80MiB", t.rate)
		}
	}
	return nil
}

// run tries what was asked for and adds it to the document. Both clusters are
// opened first, which makes sure that they are those of the plan: what follows
// writes.
func (t *trials) run(ctx context.Context, a *app, p *plan.Plan, doc *probeDoc) (err error) {
	if !t.conformance && !t.load {
		return nil
	}
	c, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, c.Close()); err != nil { // the document is not shown then
			err = errors.Join(err, left(*doc))
		}
	}()
	tell := func(found ...checks.Result) {
		doc.Checks = append(doc.Checks, diff.Waive(p.Migration, found)...)
		doc.judge()
	}
	if t.conformance {
		for _, of := range []*plan.Cluster{p.Migration.Source, p.Migration.Target} {
			ep, err := endpoint.Own(a.dir, of)
			if err != nil {
				return err
			}
			end := slow(fmt.Sprintf("trying on cluster %q what a mirror relies on", of.Name))
			shown, err := scratch.Conformance(ctx, ep)
			end()
			if err != nil {
				return err
			}
			doc.Conformance = append(doc.Conformance, conformed{Conformance: shown, Mirror: checks.MirrorModes(shown)})
			tell(checks.Conformance(shown)...)
		}
	}
	if t.load {
		shown, err := t.bear(ctx, a, c, p)
		if err != nil {
			return err
		}
		doc.Load = &shown
		tell(checks.Load(shown.Load, shown.Rate, shown.How))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// left names the scratch topics that could not be deleted, or is nil.
func left(doc probeDoc) error {
	var errs []error
	told := func(cluster, topic, why string) {
		if why != "" {
			errs = append(errs, fmt.Errorf("the scratch topic %s is still there on cluster %s (%s). Delete it with kafka-topics --delete --topic %s", topic, cluster, why, topic))
		}
	}
	for _, c := range doc.Conformance {
		told(c.Cluster, c.Topic, c.Left)
	}
	if l := doc.Load; l != nil {
		told(l.Cluster, l.Topic, l.Left)
	}
	return errors.Join(errs...)
}

// bear finds the source's rate and writes that, some times over, to the target.
func (t *trials) bear(ctx context.Context, a *app, c *migration.Clusters, p *plan.Plan) (borne, error) {
	end := slow(fmt.Sprintf("measuring for %s what cluster %q is written", t.window, p.Migration.Source.Name))
	rate, err := t.measure(ctx, c.Source, p)
	end()
	if err != nil {
		return borne{}, fmt.Errorf("measuring what the source is written: %w", err)
	}
	ep, err := endpoint.Own(a.dir, p.Migration.Target)
	if err != nil {
		return borne{}, err
	}
	replicas := int16(-1) // as the brokers' default says
	if n := p.Migration.Topics.Parity.ReplicationFactor; n > 0 {
		replicas = int16(n)
	}
	wanted := max(rate.bytes*t.times, leastLoad)
	nodes, err := c.Target.Nodes(ctx, func(string) bool { return false })
	if err != nil {
		return borne{}, err
	}
	if err := fits(nodes, wanted*t.lasting.Seconds(), replicas); err != nil {
		return borne{}, err
	}
	defer slow(fmt.Sprintf("writing to cluster %q for %s", p.Migration.Target.Name, t.lasting))()
	shown, err := scratch.Load(ctx, ep, scratch.LoadOptions{
		BytesPerSecond: wanted, RecordSize: rate.record, For: t.lasting, Partitions: loadPartitions, Replicas: replicas,
	})
	return borne{Load: shown, Rate: rate.bytes, How: rate.how}, err
}

// loadShare is how much of a broker's free disk the load may take: a full disk
// stops a broker.
const loadShare = 0.1

// fits refuses what would fill a broker's disk, taking the default of replicas
// (-1) for as many as there are brokers. Brokers before 3.3 do not tell (KIP-827).
func fits(nodes []cluster.Node, bytes float64, replicas int16) error {
	if len(nodes) == 0 {
		return nil
	}
	each := bytes
	if replicas > 0 {
		each = bytes * min(float64(replicas)/float64(len(nodes)), 1)
	}
	for _, n := range nodes {
		if n.NoDisk == "" && n.Disk.Usable >= 0 && each > loadShare*float64(n.Disk.Usable) {
			return fmt.Errorf("the load would write %.0f MiB to broker %d of the target, which has %.0f MiB of disk free, and a full disk stops a broker: lower --times or --for", each/(1<<20), n.ID, float64(n.Disk.Usable)/(1<<20))
		}
	}
	return nil
}

// observed is how much the source is written.
type observed struct {
	bytes  float64 // a second
	record int     // bytes of one, in the mean
	how    string
}

// measure reads the log ends of the selected topics twice. The size of a record
// is that of the logs over their records, compressed as they are.
func (t *trials) measure(ctx context.Context, client *kafka.Client, p *plan.Plan) (observed, error) {
	found := observed{record: usualRecord}
	snap, err := client.Snapshot(ctx, p.Migration.Topics.Selects)
	if err != nil {
		return found, err
	}
	var topics []string
	for name := range snap.Topics {
		topics = append(topics, name)
	}
	before, err := client.LogEnds(ctx, topics)
	if err != nil {
		return found, err
	}
	began := time.Now()
	nodes, err := client.Nodes(ctx, p.Migration.Topics.Selects)
	if err != nil {
		return found, err
	}
	sizes := map[cluster.TopicPartition]int64{}
	for _, n := range nodes {
		for tp, size := range n.Disk.Logs {
			sizes[tp] = max(sizes[tp], size)
		}
	}
	var bytes, records int64
	for tp, size := range sizes {
		if n := before[tp].LogEnd - before[tp].LogStart; n > 0 {
			bytes, records = bytes+size, records+n
		}
	}
	if records > 0 && bytes > 0 {
		found.record = int(min(max(bytes/records, 1), 1<<20))
	}
	if t.rate != "" {
		n, err := plan.ParseBytes(t.rate)
		found.bytes, found.how = float64(n), "as --rate says"
		return found, err
	}
	select {
	case <-ctx.Done():
		return found, context.Cause(ctx)
	case <-time.After(t.window):
	}
	after, err := client.LogEnds(ctx, topics)
	if err != nil {
		return found, err
	}
	took := time.Since(began)
	var written int64
	for tp, e := range after {
		written += max(e.LogEnd-before[tp].LogEnd, 0)
	}
	found.bytes = float64(written) * float64(found.record) / took.Seconds()
	found.how = fmt.Sprintf("%d records of %d B in %s, measured now", written, found.record, took.Round(100*time.Millisecond))
	return found, nil
}
