package kafkatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"kplan/internal/embedded/certs"
)

// description is what another process has to know of a keeper's cluster.
type description struct {
	Options   Options
	ID        string
	Evidence  string
	Dir       string
	ClassPath string
	Authority certs.Pair
	Identity  certs.Pair
	Brokers   []describedNode
	Others    []describedNode
}

type describedNode struct {
	ID    int
	Name  string
	Ports map[Listener]int
	Log   string
}

func (c *Cluster) describe() (description, error) {
	authority, err := c.authority.Pair()
	if err != nil {
		return description{}, err
	}
	d := description{
		Options: c.options, ID: c.id, Evidence: c.version, Dir: c.dir, ClassPath: c.jvm.classPath, Authority: authority, Identity: c.identity,
	}
	for _, n := range c.nodes {
		d.Brokers = append(d.Brokers, describedNode{n.id, n.name, n.ports, n.proc.log})
	}
	for _, n := range c.extra {
		d.Others = append(d.Others, describedNode{n.id, n.name, n.ports, n.proc.log})
	}
	return d, nil
}

// kept is a keeper's cluster as another process has it: everything but its
// processes.
func (d description) kept() (*Cluster, error) {
	authority, err := certs.LoadAuthority(d.Authority)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: d.Options, id: d.ID, version: d.Evidence, dir: d.Dir, jvm: jvm{classPath: d.ClassPath}, authority: authority, identity: d.Identity}
	nodes := func(all []describedNode) (some []*node) {
		for _, n := range all {
			some = append(some, &node{id: n.ID, name: n.Name, ports: n.Ports, log: n.Log})
		}
		return some
	}
	c.nodes, c.extra = nodes(d.Brokers), nodes(d.Others)
	return c, nil
}

// keeperClient speaks to the run's keeper; nil where there is none.
func keeperClient() *http.Client {
	socket := os.Getenv(keeperSocket)
	if socket == "" {
		return nil
	}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

// ask sends a request to the keeper. The caller closes the answer's body.
func ask(ctx context.Context, keeper *http.Client, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://keeper/"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	resp, err := keeper.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the run's keeper of brokers: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	text, err := io.ReadAll(resp.Body)
	if closed := resp.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the run's keeper of brokers: %w", err)
	}
	return nil, fmt.Errorf("the run's keeper of brokers: %s", strings.TrimSpace(string(text)))
}

// fromKeeper gets a cluster from the keeper.
func fromKeeper(keeper *http.Client, o Options) (c *Cluster, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), poolLimit)
	defer cancel()
	resp, err := ask(ctx, keeper, "cluster", o)
	if err != nil {
		return nil, err
	}
	var d description
	err = json.NewDecoder(resp.Body).Decode(&d)
	if closed := resp.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the run's keeper of brokers: %w", err)
	}
	return d.kept()
}

// takeTurn waits until no other test of the run has brokers of its own. The
// turn ends with the test. Without a keeper there is nothing to wait for.
func takeTurn(t testing.TB) error {
	keeper := keeperClient()
	if keeper == nil {
		return nil
	}
	// The answer's body stays open for as long as the turn lasts, which is
	// longer than the test's own context.
	ctx, end := context.WithCancel(context.Background())
	owner := fmt.Sprintf("%d-%s", os.Getpid(), rootOf(t))
	resp, err := ask(ctx, keeper, "turn/"+url.PathEscape(owner), nil)
	if err != nil {
		end()
		return err
	}
	t.Cleanup(func() {
		end()
		_ = resp.Body.Close() // it was cut off just now
	})
	return nil
}

// rootOf is the name of the test function that a test or subtest belongs to.
func rootOf(t testing.TB) string {
	root, _, _ := strings.Cut(t.Name(), "/")
	return root
}
