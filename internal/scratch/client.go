package scratch

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/endpoint"
	"kplan/mirror/wire"
)

const (
	dialLimit    = 10 * time.Second
	requestLimit = 15 * time.Second
)

// dial makes a client of the endpoint. It connects with its first request.
func dial(ep endpoint.Endpoint, more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(ep.Bootstrap...), kgo.ClientID("kplan"),
		kgo.DialTimeout(dialLimit), kgo.RetryTimeout(requestLimit), kgo.RequestTimeoutOverhead(requestLimit),
	}
	if ep.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(ep.TLS.Clone()))
	}
	mechanism, err := wire.Mechanism(ep)
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("preparing the connections to %s: %w", ep.Name(), err)
	}
	return client, nil
}

// codeError is the broker's answer to a request, or nil.
func codeError(code int16) error { return kerr.ErrorForCode(code) }

// forbidden reports whether the principal lacks a right.
func forbidden(err error) bool {
	return errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// named is an error of a broker by its name alone: the explanations are for
// other readers.
func named(err error) string {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Message
	}
	return err.Error()
}
