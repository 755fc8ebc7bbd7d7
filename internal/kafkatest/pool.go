package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Pool shares clusters among the tests of a package, since a start costs
// seconds. The zero value is ready. A test package has one, and its TestMain
// ends it:
//
//	var brokers kafkatest.Pool
//
//	func TestMain(m *testing.M) { os.Exit(brokers.Main(m)) }
//
//	func TestX(t *testing.T) { c := brokers.Shared(t, kafkatest.Options{...}) }
//
// Tests that share a cluster use topics and groups of their own names, and leave
// faults to clusters of their own (Start).
type Pool struct {
	mu       sync.Mutex
	clusters map[string]*shared
}

type shared struct {
	start   sync.Once
	cluster *Cluster
	err     error
}

// Shared returns the cluster with these options, started by the first test that
// asks: of the whole run where it has a keeper, else of this pool. A cluster that
// could not be started fails every test that asks for it.
func (p *Pool) Shared(t testing.TB, o Options) *Cluster {
	t.Helper()
	needsRealName(t)
	var c *Cluster
	var err error
	if keeper := keeperClient(); keeper != nil {
		c, err = fromKeeper(keeper, o)
	} else {
		c, err = p.get(t.Logf, o)
	}
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	t.Logf("kafkatest: %s, cluster id %s", c.Evidence(), c.ClusterID())
	return c
}

// poolLimit bounds a start and what comes before it: fetching jars, and other
// starts.
const poolLimit = 15 * time.Minute

// get returns this pool's cluster with these options.
func (p *Pool) get(log func(string, ...any), o Options) (*Cluster, error) {
	key := fmt.Sprintf("%+v", o.withDefaults())
	p.mu.Lock()
	if p.clusters == nil {
		p.clusters = map[string]*shared{}
	}
	s := p.clusters[key]
	if s == nil {
		s = &shared{}
		p.clusters[key] = s
	}
	p.mu.Unlock()
	s.start.Do(func() {
		// The cluster outlives the test that starts it, so it must not hang on
		// that test's context.
		ctx, cancel := context.WithTimeout(context.Background(), poolLimit)
		defer cancel()
		s.cluster, s.err = start(ctx, log, o)
	})
	return s.cluster, s.err
}

// needsRealName holds tests with real brokers to names by which a run can select
// them: make test-unit and make test-kafka do.
func needsRealName(t testing.TB) {
	t.Helper()
	if !strings.Contains(rootOf(t), realName) {
		t.Fatalf("kafkatest: %s asks for real brokers, so its name has to have %q in it", rootOf(t), realName)
	}
}

// realName is in the name of every test that has real brokers.
const realName = "RealBrokers"

// Main runs the package's tests, then ends the clusters. It returns the exit
// code.
func (p *Pool) Main(m *testing.M) int {
	code := m.Run()
	if err := p.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "kafkatest: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// Close ends the pool's clusters, for those who have no TestMain.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.clusters {
		if s.cluster != nil {
			errs = append(errs, s.cluster.close())
		}
	}
	p.clusters = nil
	return errors.Join(errs...)
}
