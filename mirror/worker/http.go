package worker

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kplan/mirror"
)

// stalled is for how long a partition may make no progress though there is
// something to copy: less would flap where replicas are missing for a moment.
const stalled = 2 * time.Minute

// Handler serves /metrics, for Prometheus, and /healthz: 200
// while the worker may write, no partition is stopped, and each makes progress
// that has something to copy, else 503 with the reasons.
func (w *Worker) Handler(migration string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(migration, w.Standing), promhttp.HandlerOpts{}))
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
