package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"kplan/mirror"
	"kplan/mirror/worker"
)

// mostBehind is how many partitions are named that have the most to copy.
const mostBehind = 3

// PartitionName is how a partition is named to people.
func PartitionName(s mirror.Standing) string { return fmt.Sprintf("%s[%d]", s.Topic, s.Number) }

// MirrorLine is one line of progress.
func MirrorLine(s worker.Standing) string {
	var b strings.Builder
	total := mirror.Total(s.Partitions)
	var records int64
	stopped, unheard := 0, 0
	for _, p := range s.Partitions {
		records += p.Records
		if p.Phase == mirror.Stopped {
			stopped++
		}
		if p.Heard.IsZero() {
			unheard++
		}
	}
	fmt.Fprintf(&b, "mirror: %d partitions, %d records copied, %.1f MB/s, %.0f records/s", len(s.Partitions), records, total.ByteRate/1e6, total.RecordRate)
	if stopped > 0 {
		fmt.Fprintf(&b, ", %d STOPPED", stopped)
	}
	if unheard > 0 {
		fmt.Fprintf(&b, "; of %d is not known yet how much there is to copy", unheard)
	}
	if total.Lag > 0 {
		fmt.Fprintf(&b, "; %d to go", total.Lag)
		if total.LagBytes != mirror.Unknown {
			fmt.Fprintf(&b, " (%.1f MB)", float64(total.LagBytes)/1e6)
		}
		if total.LagTime != mirror.Unknown {
			fmt.Fprintf(&b, ", %s behind", total.LagTime.Round(100*time.Millisecond))
		}
		if total.ETA != mirror.Unknown {
			fmt.Fprintf(&b, ", done in %s", total.ETA.Round(time.Second))
		}
	}
	if s.Pending > 0 {
		fmt.Fprintf(&b, "; waiting for kplan apply to begin the copy of %d topics", s.Pending)
	}
	switch {
	case s.Topics == 0 && s.Pending > 0:
	case s.Topics == 0:
		b.WriteString("; no topic is ready")
	case s.NoLease != nil:
		fmt.Fprintf(&b, "; waiting: %v", s.NoLease)
	case s.Assigned == 0 && s.Silent != nil:
		fmt.Fprintf(&b, "; %s gives no sign of life: its partitions are free in %s at most", s.Silent.Name(), s.Free.Round(time.Second))
	case s.Assigned == 0:
		b.WriteString("; other workers have all partitions")
	default:
		words := limitWords(total.Limit, s.Partitions)
		if n, why := waitingFor(s.Partitions); words == "" && n > 0 {
			words = fmt.Sprintf("; %d wait: %s", n, why)
		}
		b.WriteString(words)
	}
	b.WriteString(worstOf(s.Partitions))
	return b.String()
}

// limitWords says what limits the copy.
func limitWords(l mirror.Limit, all []mirror.Standing) string {
	switch l {
	case mirror.BySource:
		return "; the source is waited for"
	case mirror.ByTarget:
		return "; the target is waited for"
	case mirror.ByThrottle:
		return "; the throttle holds it back"
	case mirror.ByReplicas:
		return "; waiting: the target has fewer replicas in sync than min.insync.replicas"
	case mirror.ByTrouble:
		return "; waiting: " + commonest(all)
	default:
		return ""
	}
}

// worstOf names the partitions with the most lag.
func worstOf(all []mirror.Standing) string {
	worst := slices.Clone(all)
	slices.SortStableFunc(worst, func(a, b mirror.Standing) int { return cmp.Compare(b.Lag(), a.Lag()) })
	var names []string
	for _, p := range worst[:min(mostBehind, len(worst))] {
		if p.Lag() > 0 {
			names = append(names, fmt.Sprintf("%s %d", PartitionName(p), p.Lag()))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; most behind: " + strings.Join(names, ", ")
}

// waitingFor counts the partitions that wait for something that may pass, and says
// what most of them wait for.
func waitingFor(all []mirror.Standing) (n int, why string) {
	var some []mirror.Standing
	for _, p := range all {
		if p.Why != nil && p.Phase != mirror.Stopped {
			some = append(some, p)
		}
	}
	return len(some), commonest(some)
}

// commonest says what most partitions wait for.
func commonest(all []mirror.Standing) string {
	count := map[string]int{}
	for _, p := range all {
		if p.Why != nil {
			count[p.Why.Error()]++
		}
	}
	most := ""
	for why, n := range count {
		if n > count[most] || n == count[most] && why < most {
			most = why
		}
	}
	return most
}
