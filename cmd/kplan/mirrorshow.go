package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"kplan/mirror"
	"kplan/mirror/worker"
)

const (
	showLook  = time.Second
	showEvery = 10 * time.Second
	showWorst = 3 // partitions with the most lag
)

// showMirror says how a worker goes on: what is stopped at once, the rest every
// ten seconds and at the end.
func showMirror(ctx context.Context, stderr io.Writer, w *worker.Worker) {
	tick := time.NewTicker(showLook)
	defer tick.Stop()
	told := map[string]bool{}
	last, since := sumOf(w.Standing()), time.Now()
	for {
		ended := false
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		now := w.Standing()
		for _, p := range now.Partitions {
			if name := partitionName(p); p.Phase == mirror.Stopped && !told[name] {
				told[name] = true
				note(stderr, "STOPPED %s: %v", name, p.Why)
			}
		}
		if took := time.Since(since); took >= showEvery {
			sum := sumOf(now)
			note(stderr, "%s", mirrorLine(now, sum, float64(sum.bytes-last.bytes)/took.Seconds()))
			last, since = sum, time.Now()
		}
		if ended {
			return
		}
	}
}

func partitionName(s mirror.Standing) string { return fmt.Sprintf("%s[%d]", s.Topic, s.Number) }

// mirrorSum adds up what a worker has.
type mirrorSum struct {
	records, bytes, lag int64
	stopped             int
}

func sumOf(s worker.Standing) mirrorSum {
	var sum mirrorSum
	for _, p := range s.Partitions {
		sum.records += p.Records
		sum.bytes += p.Bytes
		sum.lag += p.Lag()
		if p.Phase == mirror.Stopped {
			sum.stopped++
		}
	}
	return sum
}

// mirrorLine is one line of progress.
func mirrorLine(s worker.Standing, sum mirrorSum, rate float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mirror: %d partitions, %d records copied, %.1f MB/s, %d to go", len(s.Partitions), sum.records, max(0, rate)/1e6, sum.lag)
	if sum.stopped > 0 {
		fmt.Fprintf(&b, ", %d STOPPED", sum.stopped)
	}
	switch {
	case s.Topics == 0:
		b.WriteString("; no topic is ready")
	case s.NoLease != nil:
		fmt.Fprintf(&b, "; waiting: %v", s.NoLease)
	case s.Assigned == 0:
		b.WriteString("; other workers have all partitions")
	default:
		if why := limiting(s); why != "" {
			b.WriteString("; " + why)
		}
	}
	worst := slices.Clone(s.Partitions)
	slices.SortStableFunc(worst, func(a, b mirror.Standing) int { return cmp.Compare(b.Lag(), a.Lag()) })
	for i, p := range worst[:min(showWorst, len(worst))] {
		if p.Lag() == 0 {
			break
		}
		b.WriteString(map[bool]string{true: "; behind: ", false: ", "}[i == 0])
		fmt.Fprintf(&b, "%s %d", partitionName(p), p.Lag())
	}
	return b.String()
}

// limiting says what most partitions that are behind wait for.
func limiting(s worker.Standing) string {
	count := map[string]int{}
	for _, p := range s.Partitions {
		if p.Phase != mirror.Stopped && p.Why != nil {
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

// listen serves a handler; an address without a host is on the loopback.
func listen(address string, h http.Handler, stderr io.Writer) (closeListener func(), err error) {
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: want HOST:PORT or a port: %w", address, err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port))
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	note(stderr, "Listening on http://%s (/metrics, /healthz).", l.Addr())
	return func() {
		if err := errors.Join(server.Close(), <-ended); err != nil && !errors.Is(err, http.ErrServerClosed) {
			note(stderr, "Note: serving metrics: %v", err)
		}
	}, nil
}
