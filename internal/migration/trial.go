package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/scratch"
	"kplan/plan"
)

// Conformed is what a cluster showed on a scratch topic, and what follows.
type Conformed struct {
	cluster.Conformance
	Mirror string `json:"mirror"` // the ways of copying to this cluster that remain
}

// Borne is what the target bore, beside what the source is written.
type Borne struct {
	cluster.Load
	Rate float64 `json:"source_bytes_per_second"`
	How  string  `json:"source_measured"` // where the source's rate is from
}

// Conform tries on a scratch topic of a cluster what a mirror relies on (R22). slow is
// told what takes long; its result is called at the end of that.
func Conform(ctx context.Context, p *plan.Plan, of *plan.Cluster, slow func(what string) (end func())) (Conformed, error) {
	ep, err := endpoint.Own(p.Dir, of)
	if err != nil {
		return Conformed{}, err
	}
	defer slow(fmt.Sprintf("trying on cluster %q what a mirror relies on", of.Name))()
	shown, err := scratch.Conformance(ctx, ep)
	return Conformed{Conformance: shown, Mirror: checks.MirrorModes(shown)}, err
}

// Loading is the load that is to be written to the target.
type Loading struct {
	Times  float64       // of the source's rate
	Rate   string        // of the source, bytes a second with a unit; "": measured
	Window time.Duration // of the measurement
	For    time.Duration // of the load
}

// leastLoad is written where the source is quiet: what it takes then says little,
// and something has to be written to find out that it can be.
const leastLoad = 64 << 10 // bytes a second

const (
	loadPartitions = 12      // enough for the brokers of most clusters to lead some
	usualRecord    = 1 << 10 // bytes, where the source has no record or does not tell sizes
)

// LeftOver names the scratch topics that could not be deleted, or is nil.
func LeftOver(conformed []Conformed, load *Borne) error {
	var errs []error
	told := func(cluster, topic, why string) {
		if why != "" {
			errs = append(errs, fmt.Errorf("the scratch topic %s is still there on cluster %s (%s). Delete it with kafka-topics --delete --topic %s", topic, cluster, why, topic))
		}
	}
	for _, c := range conformed {
		told(c.Cluster, c.Topic, c.Left)
	}
	if l := load; l != nil {
		told(l.Cluster, l.Topic, l.Left)
	}
	return errors.Join(errs...)
}

// Bear finds the source's rate and writes that, some times over, to the target.
func (t Loading) Bear(ctx context.Context, p *plan.Plan, c *Clusters, slow func(what string) (end func())) (Borne, error) {
	end := slow(fmt.Sprintf("measuring for %s what cluster %q is written", t.Window, p.Migration.Source.Name))
	rate, err := t.measure(ctx, c.Source, p)
	end()
	if err != nil {
		return Borne{}, fmt.Errorf("measuring what the source is written: %w", err)
	}
	ep, err := endpoint.Own(p.Dir, p.Migration.Target)
	if err != nil {
		return Borne{}, err
	}
	replicas := int16(-1) // as the brokers' default says
	if n := p.Migration.Topics.Parity.ReplicationFactor; n > 0 {
		replicas = int16(n)
	}
	wanted := max(rate.bytes*t.Times, leastLoad)
	nodes, err := c.Target.Nodes(ctx, func(string) bool { return false })
	if err != nil {
		return Borne{}, err
	}
	if err := fits(nodes, wanted*t.For.Seconds(), replicas); err != nil {
		return Borne{}, err
	}
	defer slow(fmt.Sprintf("writing to cluster %q for %s", p.Migration.Target.Name, t.For))()
	shown, err := scratch.Load(ctx, ep, scratch.LoadOptions{
		BytesPerSecond: wanted, RecordSize: rate.record, For: t.For, Partitions: loadPartitions, Replicas: replicas,
	})
	return Borne{Load: shown, Rate: rate.bytes, How: rate.how}, err
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
func (t Loading) measure(ctx context.Context, client *kafka.Client, p *plan.Plan) (observed, error) {
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
	if t.Rate != "" {
		n, err := plan.ParseBytes(t.Rate)
		found.bytes, found.how = float64(n), "as --rate says"
		return found, err
	}
	select {
	case <-ctx.Done():
		return found, context.Cause(ctx)
	case <-time.After(t.Window):
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
