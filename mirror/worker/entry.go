package worker

import (
	"context"
	"fmt"
	"time"

	"kplan/mirror"
)

// obey reads the directions and tells what has been carried out of them, until
// ctx ends. The entry comes before the first reading: whoever changes the
// directions and sees no entry knows that they will be read (R18).
func (w *Worker) obey(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	var told mirror.Entry
	var at time.Duration // when told was written
	entered := false
	for {
		if err := w.obeyOnce(ctx, &told, &at, &entered); err != nil && ctx.Err() == nil {
			w.conf.Log.Warn("reading and answering the mirror's directions", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Worker) obeyOnce(ctx context.Context, told *mirror.Entry, at *time.Duration, entered *bool) error {
	ctx, cancel := context.WithTimeout(ctx, w.conf.Group.Session/3)
	defer cancel()
	if !*entered {
		err := mirror.ClaimEntry(ctx, w.conf.Shelf, w.conf.ID)
		if err == nil {
			err = mirror.Enter(ctx, w.conf.Shelf, w.entry(told))
		}
		if err != nil {
			return err
		}
		*entered = true
	}
	sent := w.conf.Clock.Now()
	ways, err := mirror.ReadDirections(ctx, w.conf.Shelf)
	if err != nil {
		return err
	}
	rate, kept, err := mirror.Rate(ctx, w.conf.Shelf)
	if err != nil {
		return err
	}
	if kept && w.rate.Swap(rate) != rate {
		w.changed()
	}
	w.mu.Lock()
	news := ways.Epoch > w.epoch
	if news {
		w.ways, w.epoch = ways, ways.Epoch
	}
	w.mu.Unlock()
	if news {
		w.changed()
		poke(w.lookNow)
	}
	if told.Epoch == w.done.Load() && sent-*at < w.conf.Group.Session/5 {
		return nil
	}
	if err := mirror.Enter(ctx, w.conf.Shelf, w.entry(told)); err != nil {
		*entered = false // somebody may have taken this one for dead, and the entry away
		return err
	}
	*at = sent
	extend(&w.lease.entry, sent)
	return nil
}

// mostTold is how many stopped partitions an entry names.
const mostTold = 100

// entry is what this worker tells next.
func (w *Worker) entry(told *mirror.Entry) mirror.Entry {
	*told = mirror.Entry{
		ID: w.conf.ID, Host: w.conf.Host, PID: w.conf.PID, Epoch: w.done.Load(), Serial: told.Serial + 1, WrittenAt: time.Now().UTC(),
		Silence: w.conf.Group.Session + w.conf.Wait, Wait: w.conf.Wait, Space: w.conf.Space,
	}
	if client := w.client.Load(); client != nil {
		told.Member, _ = client.GroupMetadata()
	}
	maps := w.copier.Maps()
	told.Maps = maps.Bytes
	if maps.Whole != nil {
		told.MapsWhole = maps.Whole.Error()
	}
	all := w.copier.Status()
	told.Rate = mirror.Total(all).ByteRate
	for _, s := range all {
		told.Partitions++
		if s.Heard.IsZero() {
			told.Unknown++
		} else {
			told.Lag += s.Lag()
		}
		told.Records += s.Records
		told.Bytes += s.Bytes
		if s.Phase == mirror.Stopped && len(told.Stopped) < mostTold {
			told.Stopped = append(told.Stopped, stoppedText(s))
		}
	}
	return *told
}

func stoppedText(s mirror.Standing) string {
	return fmt.Sprintf("%s[%d]: %v", s.Topic, s.Number, s.Why)
}
