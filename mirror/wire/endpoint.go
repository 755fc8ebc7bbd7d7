package wire

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/endpoint"
)

// Reach returns the options that lead to a listener of the plan.
func Reach(ep endpoint.Endpoint, pool *Pool) (Options, error) {
	mechanism, err := mechanismOf(ep)
	if err != nil {
		return Options{}, fmt.Errorf("%s: %w", ep.Name(), err)
	}
	return Options{Bootstrap: ep.Bootstrap, TLS: ep.TLS, SASL: mechanism, Pool: pool}, nil
}

func mechanismOf(ep endpoint.Endpoint) (sasl.Mechanism, error) {
	s := ep.SASL
	if s == nil {
		return nil, nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.Username, Pass: s.Password.Reveal()}.AsSha512Mechanism(), nil
	case "OAUTHBEARER":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := ep.Tokens.Token()
			return oauth.Auth{Token: token}, err
		}), nil
	}
	return nil, fmt.Errorf("the mirror cannot log in by %s yet", s.Mechanism)
}
