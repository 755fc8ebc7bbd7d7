package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"kplan/internal/report"
	"kplan/mirror"
	"kplan/mirror/worker"
)

const (
	showLook  = time.Second
	showEvery = 10 * time.Second
)

// showMirror says how a worker goes on: what is stopped at once, the rest every
// ten seconds.
func showMirror(ctx context.Context, stderr io.Writer, w *worker.Worker) {
	look, say := time.NewTicker(showLook), time.NewTicker(showEvery)
	defer look.Stop()
	defer say.Stop()
	told := map[string]bool{}
	for ctx.Err() == nil {
		line := false
		select {
		case <-ctx.Done(): // what was stopped last is told all the same
		case <-look.C:
		case <-say.C:
			line = true
		}
		now := w.Standing()
		for _, p := range now.Partitions {
			if name := report.PartitionName(p); p.Phase == mirror.Stopped && !told[name] {
				told[name] = true
				note(stderr, "STOPPED %s: %v", name, p.Why)
			}
		}
		if line {
			note(stderr, "%s", report.MirrorLine(now))
		}
	}
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
