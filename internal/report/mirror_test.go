package report

import (
	"errors"
	"testing"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// The line says how far and how fast, what limits it, and where it is worst.
func TestMirrorLine(t *testing.T) {
	part := func(number int32, lag int64, limit mirror.Limit, why error) mirror.Standing {
		return mirror.Standing{
			Partition: wire.Partition{Topic: "t", Number: number}, Phase: mirror.Copying, Why: why, Mark: lag, Heard: time.Unix(1, 0), Records: 100,
			Progress: mirror.Progress{ByteRate: 1e6, RecordRate: 500, Lag: lag, LagBytes: lag * 1000, LagTime: time.Second, ETA: mirror.Unknown, Limit: limit},
		}
	}
	stopped := part(9, 0, mirror.ByTrouble, errors.New("a stranger"))
	stopped.Phase = mirror.Stopped
	idle := part(0, 0, mirror.ByNothing, nil)
	idle.Progress.ETA = 0
	unheard := part(0, 0, mirror.ByNothing, nil)
	unheard.Heard = time.Time{}
	held := part(1, 0, mirror.ByNothing, errors.New("broker 1 does not answer"))
	held.Phase, held.Progress.ETA = mirror.Resuming, 0
	for want, s := range map[string]worker.Standing{
		"mirror: 0 partitions, 0 records copied, 0.0 MB/s, 0 records/s; no topic is ready": {},
		"mirror: 0 partitions, 0 records copied, 0.0 MB/s, 0 records/s; waiting: this worker has no lease: x": {
			Topics: 1, Assigned: 1, NoLease: &worker.LeaseError{Why: "x"},
		},
		"mirror: 0 partitions, 0 records copied, 0.0 MB/s, 0 records/s; worker w1 on h (process 7) gives no sign of life: its partitions are free in 9s at most": {
			Topics: 1, Silent: &mirror.Sign{Entry: mirror.Entry{ID: "w1", Host: "h", PID: 7}}, Free: 9 * time.Second,
		},
		"mirror: 0 partitions, 0 records copied, 0.0 MB/s, 0 records/s; other workers have all partitions":                     {Topics: 1},
		"mirror: 0 partitions, 0 records copied, 0.0 MB/s, 0 records/s; waiting for kplan apply to begin the copy of 2 topics": {Pending: 2},
		"mirror: 2 partitions, 200 records copied, 2.0 MB/s, 1000 records/s; 1 wait: broker 1 does not answer":                 {Topics: 1, Assigned: 2, Partitions: []mirror.Standing{idle, held}},
		"mirror: 1 partitions, 100 records copied, 1.0 MB/s, 500 records/s; of 1 is not known yet how much there is to copy":   {Topics: 1, Assigned: 1, Partitions: []mirror.Standing{unheard}},
		"mirror: 1 partitions, 100 records copied, 1.0 MB/s, 500 records/s; waiting for kplan apply to begin the copy of 3 topics": {
			Topics: 1, Pending: 3, Assigned: 1, Partitions: []mirror.Standing{idle},
		},
		"mirror: 1 partitions, 100 records copied, 1.0 MB/s, 500 records/s": {Topics: 1, Assigned: 1, Partitions: []mirror.Standing{idle}},
		"mirror: 4 partitions, 400 records copied, 4.0 MB/s, 2000 records/s; 6000 to go (6.0 MB), 1s behind; the target is waited for; most behind: t[3] 3000, t[2] 2000, t[1] 1000": {
			Topics: 1, Assigned: 4, Partitions: []mirror.Standing{idle, part(1, 1000, mirror.BySource, nil), part(2, 2000, mirror.ByTarget, nil), part(3, 3000, mirror.ByTarget, nil)},
		},
		"mirror: 2 partitions, 200 records copied, 2.0 MB/s, 1000 records/s, 1 STOPPED; 7 to go (0.0 MB), 1s behind; waiting: a stranger; most behind: t[1] 7": {
			Topics: 1, Assigned: 2, Partitions: []mirror.Standing{part(1, 7, mirror.ByTrouble, nil), stopped},
		},
	} {
		if got := MirrorLine(s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
