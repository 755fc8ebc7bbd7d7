package mirror

import (
	"math"
	"time"

	"kplan/mirror/wire"
)

// Limit is what keeps a copy from being faster, or from being done.
type Limit int

// The limits.
const (
	ByNothing  Limit = iota // all that the source has is copied
	BySource                // the source has more, and it is waited for
	ByTarget                // so much is under way that acknowledgements are waited for
	ByThrottle              // SetThrottle
	ByReplicas              // the target has fewer replicas in sync than min.insync.replicas
	ByTrouble               // what Standing.Why says
)

func (l Limit) String() string {
	return [...]string{"nothing", "source", "target", "throttle", "replicas", "trouble"}[l]
}

// Unknown is a duration, or a number of bytes, that cannot be told.
const Unknown = -1

// Progress is how fast a copy is, and how far from its end. Rates are averages
// in which the last ten seconds count most.
type Progress struct {
	RecordRate float64       // records acknowledged a second
	ByteRate   float64       // bytes of batches acknowledged a second
	Lag        int64         // source offsets that are not copied yet
	LagBytes   int64         // about how many bytes these are, by what a copied offset took; Unknown
	LagTime    time.Duration // how old the record is that was copied last, 0 without a lag; Unknown
	ETA        time.Duration // until there is no lag, at these rates; Unknown also where the source grows faster
	Limit      Limit

	pace   float64 // source offsets handled a second
	growth float64 // by which the source's log grows a second
}

// counters are what a partition has counted at one moment.
type counters struct {
	records, bytes int64 // acknowledged
	done           int64 // source offset up to which all is copied
	mark           int64 // the source's last stable offset
	newest         int64 // time stamp of what was acknowledged last, in ms; 0: nothing was
}

// meter makes rates of counters. The zero value is ready.
type meter struct {
	began, last counters
	at          time.Time // of last; zero: nothing was observed
	rated       bool
	now         Progress
}

// window is how long the past counts in a rate: to 1/e.
const window = 10 * time.Second

// observe takes the counters of a moment that is later than the last one.
func (m *meter) observe(at time.Time, c counters) {
	if m.at.IsZero() {
		m.began, m.last, m.at = c, c, at
		return
	}
	took := at.Sub(m.at).Seconds()
	if took <= 0 {
		return
	}
	weight := 1 - math.Exp(-took/window.Seconds())
	if !m.rated { // the first interval is all there is
		weight, m.rated = 1, true
	}
	average := func(rate *float64, from, to int64) {
		*rate += weight * (float64(max(0, to-from))/took - *rate)
	}
	average(&m.now.RecordRate, m.last.records, c.records)
	average(&m.now.ByteRate, m.last.bytes, c.bytes)
	average(&m.now.pace, m.last.done, c.done)
	average(&m.now.growth, m.last.mark, c.mark)
	m.last, m.at = c, at
}

// progress is that of a moment, with the counters of that moment.
func (m *meter) progress(at time.Time, c counters) Progress {
	p := m.now
	p.Lag = max(0, c.mark-c.done)
	p.LagBytes, p.LagTime = Unknown, Unknown
	if handled := c.done - m.began.done; handled > 0 && !m.at.IsZero() {
		p.LagBytes = int64(float64(p.Lag) * float64(c.bytes-m.began.bytes) / float64(handled))
	}
	if c.newest > 0 {
		p.LagTime = max(0, at.Sub(time.UnixMilli(c.newest)))
	}
	if p.Lag == 0 {
		p.LagBytes, p.LagTime = 0, 0
	}
	p.ETA = eta(p.Lag, p.pace, p.growth)
	return p
}

func eta(lag int64, pace, growth float64) time.Duration {
	if lag == 0 {
		return 0
	}
	gain := pace - growth
	if gain <= 0 || float64(lag)/gain > maxETA.Seconds() {
		return Unknown
	}
	return time.Duration(float64(lag) / gain * float64(time.Second))
}

// maxETA is from when on an estimate is none.
const maxETA = 10 * 365 * 24 * time.Hour

// held is what limiting judges.
type held struct {
	phase     Phase
	why       error
	short     bool // of replicas
	full      bool // nothing more may be under way, or wait
	throttled bool
	lag       int64
}

func limiting(h held) Limit {
	switch {
	case h.phase == Stopped:
		return ByTrouble
	case h.short || wire.UnderReplicated(h.why):
		return ByReplicas
	case h.why != nil:
		return ByTrouble
	case h.lag == 0:
		return ByNothing
	case h.full:
		return ByTarget
	case h.throttled:
		return ByThrottle
	default:
		return BySource
	}
}

// Total is the progress of all together: sums, the greatest age, and the limit
// under which most of the lag is. Of partitions that are stopped only the lag
// counts; with one of these that lags there is no ETA.
func Total(all []Standing) Progress {
	var sum Progress
	lags := map[Limit]int64{}
	for _, s := range all {
		p := s.Progress
		sum.RecordRate += p.RecordRate
		sum.ByteRate += p.ByteRate
		sum.pace += p.pace
		sum.growth += p.growth
		sum.Lag += p.Lag
		sum.LagBytes = sumKnown(sum.LagBytes, p.LagBytes)
		if p.Lag > 0 && sum.LagTime != Unknown {
			if sum.LagTime = max(sum.LagTime, p.LagTime); p.LagTime == Unknown {
				sum.LagTime = Unknown
			}
		}
		if p.ETA == Unknown {
			sum.ETA = Unknown
		}
		lags[p.Limit] += p.Lag
		if p.Limit > sum.Limit && lags[p.Limit] >= lags[sum.Limit] || lags[p.Limit] > lags[sum.Limit] {
			sum.Limit = p.Limit
		}
	}
	if sum.ETA != Unknown {
		sum.ETA = eta(sum.Lag, sum.pace, sum.growth)
	}
	return sum
}

func sumKnown(a, b int64) int64 {
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return a + b
}
