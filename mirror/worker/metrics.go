package worker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kplan/mirror"
)

// mostSeries is how many partitions have metrics of their own. With more of them
// there are metrics by topic only.
const mostSeries = 1000

// registry has the metrics of a worker alone, taken whenever somebody asks.
func registry(migration string, standing func() Standing) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(exporter{migration, standing})
	return r
}

// exporter tells what a worker does. What is not known is absent, and not 0: an
// alert by it would never come.
type exporter struct {
	migration string
	standing  func() Standing
}

// Describe tells nothing: which series there are depends on the partitions.
func (exporter) Describe(chan<- *prometheus.Desc) {}

// Collect takes the metrics of this moment.
func (e exporter) Collect(out chan<- prometheus.Metric) {
	s := e.standing()
	e.collectSeries(out, s)
	one := func(name, help string, value float64, labels ...string) { // name, value, ...
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(e.desc(name, help, names...), prometheus.GaugeValue, value, values...)
	}
	count, unheard := map[mirror.Phase]int{}, 0
	for _, p := range s.Partitions {
		count[p.Phase]++
		if p.Heard.IsZero() {
			unheard++
		}
	}
	for _, phase := range []mirror.Phase{mirror.Resuming, mirror.Copying, mirror.Stopped} {
		one("kplan_mirror_partitions", "Partitions of this worker, by what they are at.", float64(count[phase]), "phase", phase.String())
	}
	one("kplan_mirror_unknown_partitions", "Partitions of this worker whose lag is not known yet.", float64(unheard))
	total := mirror.Total(s.Partitions)
	one("kplan_mirror_bytes_per_second", "Rate of the last ten seconds or so.", total.ByteRate)
	one("kplan_mirror_limit", "1 for what limits the copy.", 1, "limit", total.Limit.String())
	if s.Maps.Bytes > 0 {
		one("kplan_mirror_map_bytes", "What the offset maps of this worker take in memory; absent before the first look at them.", float64(s.Maps.Bytes))
	}
	leased := 1.0
	if s.NoLease != nil {
		leased = 0
	}
	one("kplan_mirror_lease", "1 while this worker may write.", leased)
}

func (e exporter) desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, prometheus.Labels{"migration": e.migration})
}

// series is what is told of a partition, or of a topic.
type series struct {
	labels              []string // topic, and partition if it is of one
	records, bytes, lag int64
	unheard             bool          // the source's log of some partition is not known yet, so that lag is none
	age                 time.Duration // the greatest
	ageless             bool          // of some partition it is not known
}

func seriesOf(s Standing) []series {
	var all []series
	at := map[string]int{}
	for _, p := range s.Partitions {
		labels := []string{p.Topic}
		key := p.Topic
		if len(s.Partitions) <= mostSeries {
			labels = append(labels, strconv.Itoa(int(p.Number)))
			key += "/" + labels[1]
		}
		i, ok := at[key]
		if !ok {
			i = len(all)
			at[key] = i
			all = append(all, series{labels: labels})
		}
		all[i].records += p.Records
		all[i].bytes += p.Bytes
		all[i].lag += p.Lag()
		all[i].unheard = all[i].unheard || p.Heard.IsZero()
		all[i].age = max(all[i].age, p.Progress.LagTime)
		all[i].ageless = all[i].ageless || p.Heard.IsZero() || p.Progress.LagTime == mirror.Unknown
	}
	return all
}

func (e exporter) collectSeries(out chan<- prometheus.Metric, s Standing) {
	for _, one := range seriesOf(s) {
		labels := []string{"topic", "partition"}[:len(one.labels)]
		tell := func(name, help string, kind prometheus.ValueType, value float64) {
			out <- prometheus.MustNewConstMetric(e.desc(name, help, labels...), kind, value, one.labels...)
		}
		tell("kplan_mirror_records_total", "Records copied since this worker took the partition.", prometheus.CounterValue, float64(one.records))
		tell("kplan_mirror_bytes_total", "Bytes of record batches copied since this worker took the partition.", prometheus.CounterValue, float64(one.bytes))
		if !one.unheard {
			tell("kplan_mirror_lag_records", "Source offsets that are not on the target yet; absent while that is not known.", prometheus.GaugeValue, float64(one.lag))
		}
		if !one.ageless {
			tell("kplan_mirror_lag_seconds", "Age of the record that was copied last, while there is a lag; absent while that is not known.", prometheus.GaugeValue, one.age.Seconds())
		}
	}
}
