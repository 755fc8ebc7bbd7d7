//go:build campaign

package worker_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sys/unix"

	"kplan/internal/kafkatest"
)

// Some faults last longer than the watchdog's patience, so that it sees whether
// partitions that have nothing to do with them go on.
const (
	longFault  = 40 * time.Second
	stateFault = 20 * time.Second
)

// faults are what can happen here, to all plays at once. Each begins and ends, and
// all brokers are in sync again, before it returns.
func (b *realBrokers) faults() map[string]func() {
	return map[string]func(){
		"a process is killed":                                func() { b.each((*play).kill); b.breathe() },
		"a process hands over while its connections are cut": func() { b.each(func(p *play) { p.handOver(b.cutAll) }); b.breathe() },
		"a broker of the source is killed":                   func() { b.down(b.source, 2*time.Second, 1+b.rand.Int32N(3)) },
		"a broker of the target is killed":                   func() { b.down(b.target, 2*time.Second, 1+b.rand.Int32N(3)) },
		"too few replicas of the target":                     b.loseReplicas,
		"a partition of each side has no leader":             b.loseLeaders,
		"connections are cut":                                b.cut,
		"the state is out of reach":                          b.loseState,
		"a broker of each side is killed, and a process":     b.everything,
	}
}

func (b *realBrokers) each(do func(*play)) { performance{plays: b.plays}.each(do) }

// lapse lets a fault last.
func lapse(d time.Duration) { <-time.After(d) }

// breathe lets processes find their way before the next fault, or not.
func (b *realBrokers) breathe() { lapse(time.Duration(b.rand.IntN(8000)) * time.Millisecond) }

// down kills brokers of a cluster and starts them again.
func (b *realBrokers) down(c *kafkatest.Cluster, last time.Duration, brokers ...int32) {
	b.kill9(c, brokers...)
	lapse(last)
	b.up(c, brokers...)
	b.whole(c)
}

func (b *realBrokers) kill9(c *kafkatest.Cluster, brokers ...int32) {
	for _, id := range brokers {
		if err := c.Kill(int(id)); err != nil {
			b.Error(err)
		}
		b.count(func() { b.downed++ })
	}
}

func (b *realBrokers) up(c *kafkatest.Cluster, brokers ...int32) {
	var all sync.WaitGroup
	for _, id := range brokers {
		all.Go(func() {
			if err := c.Restart(b.Context(), int(id)); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// loseReplicas leaves one broker of the target, where two have to have all, and
// which has a partition alone: that one goes on. Two are wanted only for so long:
// 4.3.0 never elects the only replica of a partition again that is to have two,
// once its broker was killed.
func (b *realBrokers) loseReplicas() {
	b.set(b.target, least, "2")
	b.down(b.target, longFault, without([]int32{1, 2, 3}, b.single[b.target])...)
	b.set(b.target, least, "1")
}

const least = "min.insync.replicas"

// set changes a config of the plays' topics.
func (b *realBrokers) set(c *kafkatest.Cluster, config, value string) {
	var topics []string
	for _, p := range b.plays {
		topics = append(topics, p.topic)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	all, err := b.admin[c].AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: config, Value: &value}}, topics...)
	for _, one := range all {
		err = cmp.Or(err, one.Err)
	}
	if err != nil {
		b.Errorf("setting %s: %v", config, err)
	}
}

// loseLeaders leaves one partition of each side without a leader: the others go
// on.
func (b *realBrokers) loseLeaders() {
	var both sync.WaitGroup
	for _, c := range []*kafkatest.Cluster{b.source, b.target} {
		both.Go(func() { b.down(c, longFault, b.single[c]) })
	}
	both.Wait()
}

// everything at once: whoever comes back finds others who are not back yet.
func (b *realBrokers) everything() {
	from, to := 1+b.rand.Int32N(3), 1+b.rand.Int32N(3)
	var all sync.WaitGroup
	all.Go(func() { b.down(b.source, 5*time.Second, from) })
	all.Go(func() { b.down(b.target, 5*time.Second, to) })
	b.each((*play).kill)
	all.Wait()
}

func (b *realBrokers) cutAll() {
	n := 0
	for _, side := range [][]*kafkatest.Proxy{b.toSource, b.toTarget} {
		for _, p := range side {
			n += p.Cut()
		}
	}
	b.count(func() { b.cuts += n })
}

// cut ends connections again and again, and the last time lets nobody in for a
// while.
func (b *realBrokers) cut() {
	for range 5 {
		b.cutAll()
		lapse(time.Duration(b.rand.IntN(400)) * time.Millisecond)
	}
	shut := func(shut bool) {
		for _, side := range [][]*kafkatest.Proxy{b.toSource, b.toTarget} {
			for _, p := range side {
				p.Shut(shut)
			}
		}
	}
	shut(true)
	b.cutAll()
	lapse(time.Second)
	shut(false)
	b.breathe()
}

// loseState takes the states away: those in topics are cut off, and in place of
// the folder of the others there is a file, as where a disk is gone. (Rights would
// not keep root out.)
func (b *realBrokers) loseState() {
	b.away.Store(true)
	for _, p := range b.toState {
		p.Shut(true)
		p.Cut()
	}
	b.swapFolders()
	lapse(stateFault)
	b.swapFolders()
	for _, p := range b.toState {
		p.Shut(false)
	}
	b.away.Store(false)
}

// swapFolders changes each folder of a state for a file, or back, in one step.
func (b *realBrokers) swapFolders() {
	for _, folder := range b.folders {
		other := filepath.Join(b.dir, "instead of "+filepath.Base(folder))
		if _, err := os.Stat(other); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				b.Error(err)
			}
		}
		if err := unix.Renameat2(unix.AT_FDCWD, folder, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
			b.Errorf("changing the state's folder for a file: %v", err)
		}
	}
}

// count changes a figure.
func (b *realBrokers) count(change func()) {
	b.figures.Lock()
	defer b.figures.Unlock()
	change()
}
