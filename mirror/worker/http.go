package worker

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"kplan/mirror"
)

// mostSeries is how many partitions have metrics of their own. With more of them
// there are metrics by topic only.
const mostSeries = 1000

// stalled is for how long a partition may make no progress though there is
// something to copy: less would flap where replicas are missing for a moment.
const stalled = 2 * time.Minute

// Handler serves /metrics, in Prometheus' text format 0.0.4, and /healthz: 200
// while the worker may write, no partition is stopped, and each makes progress
// that has something to copy, else 503 with the reasons.
func (w *Worker) Handler(migration string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = rw.Write(metrics(migration, w.Standing())) // who asked has gone
	})
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		reasons := w.Standing().ailing(time.Now())
		if len(reasons) == 0 {
			_, _ = rw.Write([]byte("ok\n")) // who asked has gone
			return
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
		for _, why := range reasons {
			_, _ = fmt.Fprintln(rw, why) // who asked has gone
		}
	})
	return mux
}

// ailing says why somebody should look at the worker. One that is assigned
// nothing needs no lease.
func (s Standing) ailing(now time.Time) (reasons []string) {
	if s.NoLease != nil && s.Topics > 0 {
		reasons = append(reasons, s.NoLease.Error())
	}
	for _, p := range s.Partitions {
		if p.Phase == mirror.Stopped {
			reasons = append(reasons, stoppedText(p))
		} else if err := p.Stalled(now, stalled); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	return reasons
}

// series is what is told of a partition, or of a topic.
type series struct {
	labels              string
	records, bytes, lag int64
	unheard             bool          // the source's log of some partition is not known yet, so that lag is none
	age                 time.Duration // the greatest
	ageless             bool          // of some partition it is not known
}

func seriesOf(migration string, s Standing) []series {
	var all []series
	at := map[string]int{}
	for _, p := range s.Partitions {
		labels := "migration=" + strconv.Quote(migration) + ",topic=" + strconv.Quote(p.Topic)
		if len(s.Partitions) <= mostSeries {
			labels += fmt.Sprintf(",partition=\"%d\"", p.Number)
		}
		i, ok := at[labels]
		if !ok {
			i = len(all)
			at[labels] = i
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

func metrics(migration string, s Standing) []byte {
	var b bytes.Buffer
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	all := seriesOf(migration, s)
	for _, f := range []struct {
		name, kind, help string
		value            func(series) (n int64, known bool)
	}{
		{"kplan_mirror_records_total", "counter", "Records copied since this worker took the partition.", func(s series) (int64, bool) { return s.records, true }},
		{"kplan_mirror_bytes_total", "counter", "Bytes of record batches copied since this worker took the partition.", func(s series) (int64, bool) { return s.bytes, true }},
		{"kplan_mirror_lag_records", "gauge", "Source offsets that are not on the target yet; absent while that is not known.", func(s series) (int64, bool) { return s.lag, !s.unheard }},
		{"kplan_mirror_lag_seconds", "gauge", "Age of the record that was copied last, while there is a lag; absent while that is not known.", func(s series) (int64, bool) { return int64(s.age.Seconds()), !s.ageless }},
	} {
		family(f.name, f.kind, f.help)
		for _, one := range all {
			if n, known := f.value(one); known {
				fmt.Fprintf(&b, "%s{%s} %d\n", f.name, one.labels, n)
			}
		}
	}
	common := "migration=" + strconv.Quote(migration)
	family("kplan_mirror_partitions", "gauge", "Partitions of this worker, by what they are at.")
	count := map[mirror.Phase]int{}
	for _, p := range s.Partitions {
		count[p.Phase]++
	}
	for _, phase := range []mirror.Phase{mirror.Resuming, mirror.Copying, mirror.Stopped} {
		fmt.Fprintf(&b, "kplan_mirror_partitions{%s,phase=%q} %d\n", common, phase, count[phase])
	}
	unheard := 0
	for _, p := range s.Partitions {
		if p.Heard.IsZero() {
			unheard++
		}
	}
	family("kplan_mirror_unknown_partitions", "gauge", "Partitions of this worker whose lag is not known yet.")
	fmt.Fprintf(&b, "kplan_mirror_unknown_partitions{%s} %d\n", common, unheard)
	total := mirror.Total(s.Partitions)
	family("kplan_mirror_bytes_per_second", "gauge", "Rate of the last ten seconds or so.")
	fmt.Fprintf(&b, "kplan_mirror_bytes_per_second{%s} %.0f\n", common, total.ByteRate)
	family("kplan_mirror_limit", "gauge", "1 for what limits the copy.")
	fmt.Fprintf(&b, "kplan_mirror_limit{%s,limit=%q} 1\n", common, total.Limit)
	family("kplan_mirror_map_bytes", "gauge", "What the offset maps of this worker take in memory; absent before the first look at them.")
	if s.Maps.Bytes > 0 {
		fmt.Fprintf(&b, "kplan_mirror_map_bytes{%s} %d\n", common, s.Maps.Bytes)
	}
	leased := 1
	if s.NoLease != nil {
		leased = 0
	}
	family("kplan_mirror_lease", "gauge", "1 while this worker may write.")
	fmt.Fprintf(&b, "kplan_mirror_lease{%s} %d\n", common, leased)
	return b.Bytes()
}
