package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
)

const (
	dialTimeout    = 10 * time.Second
	requestTimeout = 15 * time.Second
)

// Client talks to one cluster.
type Client struct {
	ep     endpoint.Endpoint
	conf   *sarama.Config
	client sarama.Client
	admin  sarama.TransactionClusterAdmin
	id     string
	logs   *logs
	waits  *waits

	patience time.Duration // with broken connections; see Patient
}

// WrongClusterError says that the brokers belong to another cluster than the
// plan names.
type WrongClusterError struct {
	Name string // the cluster's name in the plan
	Want string
	Got  string
}

func (e *WrongClusterError) Error() string {
	return fmt.Sprintf("cluster %q answers with cluster id %q and the plan says %q: the addresses lead to another cluster. Correct bootstrap, or cluster_id if the cluster was rebuilt on purpose", e.Name, e.Got, e.Want)
}

// Open connects to a cluster and checks that it is the one that is wanted;
// wantID may be empty. It returns *endpoint.UnreachableError or
// *WrongClusterError where those are the reason.
func Open(ctx context.Context, ep endpoint.Endpoint, wantID string, opts ...Option) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	conf := newConfig(ep)
	c := &Client{ep: ep, conf: conf}
	var err error
	if c.logs, err = newLogs(ep, requestTimeout); err != nil {
		return nil, err
	}
	w := newWaits(ep.Name(), func() time.Duration { return max(held(conf), time.Duration(c.logs.throttled.Load())) }, opts)
	c.waits = w
	opening := w.begin("connecting to " + strings.Join(ep.Bootstrap, ", "))
	defer w.end(opening)
	client, err := sarama.NewClient(ep.Bootstrap, conf)
	if err != nil {
		return nil, explainOpen(ctx, ep, err)
	}
	c.client = client
	err = c.discover()
	if hungUp(err) { // one connection that is closed says little, the second says more
		c.reconnect(err)
		err = c.discover()
	}
	if err != nil {
		return nil, errors.Join(explainOpen(ctx, ep, err), client.Close())
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", ep.Name(), err), client.Close())
	}
	var ok bool
	if c.admin, ok = admin.(sarama.TransactionClusterAdmin); !ok {
		return nil, errors.Join(fmt.Errorf("opening %s: this is a bug in kplan: the client library lists no transactions", ep.Name()), client.Close())
	}
	var meta *sarama.MetadataResponse
	err = c.retry(ctx, "asking which cluster it is", func() (err error) {
		meta, err = c.metadata([]string{})
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the metadata of %s: %w", ep.Name(), err), c.Close())
	}
	if meta.ClusterID != nil {
		c.id = *meta.ClusterID
	}
	if wantID != "" && wantID != c.id {
		return nil, errors.Join(&WrongClusterError{Name: ep.Cluster, Want: wantID, Got: c.id}, c.Close())
	}
	return c, nil
}

// Close ends all connections.
func (c *Client) Close() error {
	c.logs.wire.Close()
	if err := c.client.Close(); err != nil && !errors.Is(err, sarama.ErrClosedClient) {
		return fmt.Errorf("closing the connections to %s: %w", c.ep.Name(), err)
	}
	return nil
}

// ClusterID is the id that the brokers gave when the client was opened.
func (c *Client) ClusterID() string { return c.id }

// explainOpen finds the address to blame: where several bootstrap addresses
// fail, one reason is enough.
func explainOpen(ctx context.Context, ep endpoint.Endpoint, err error) error {
	if refusal := loginRefused(ep, strings.Join(ep.Bootstrap, ","), err); refusal != nil {
		return refusal
	}
	return ep.Explain(ctx, ep.Bootstrap[0], err)
}

// loginRefused is for a login that came to nothing, and nil for other failures.
func loginRefused(ep endpoint.Endpoint, address string, err error) *endpoint.UnreachableError {
	out := &endpoint.UnreachableError{
		Endpoint: ep.Name(), Address: address, Err: err, Stage: cluster.StageLogin,
		Do: "Check username, password and mechanism in its sasl block.",
	}
	var token *endpoint.TokenError
	switch {
	case errors.As(err, &token):
		out.Why, out.Do = fmt.Sprintf("there is no token to log in with: %s says: %s", token.Issuer, token.Why), token.Do
	case credentialsRefused(err) == "":
		return nil
	case ep.Tokens != nil && !errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		out.Why = "the broker refuses the token"
		out.Do = "Check the mechanism and scopes in its sasl block, and on the brokers the issuer, the audience and the keys that they expect."
	default:
		out.Why = credentialsRefused(err)
	}
	return out
}

// credentialsRefused tells a refused login from other failures. SCRAM's
// refusals come as a plain text from the exchange.
func credentialsRefused(err error) string {
	var kerr sarama.KError
	if errors.As(err, &kerr) {
		switch kerr {
		case sarama.ErrSASLAuthenticationFailed:
			return "the broker refuses the credentials"
		case sarama.ErrUnsupportedSASLMechanism:
			return "the broker does not offer this SASL mechanism"
		}
	}
	if errors.Is(err, sarama.ErrSASLAuthenticationFailed) || strings.Contains(strings.ToLower(err.Error()), "authentication failed") {
		return "the broker refuses the credentials"
	}
	return ""
}
