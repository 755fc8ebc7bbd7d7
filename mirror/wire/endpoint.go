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

// Mechanism returns how an endpoint of the plan logs in, nil where it does not.
func Mechanism(ep endpoint.Endpoint) (sasl.Mechanism, error) {
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
	return nil, fmt.Errorf("kplan cannot log in by %s", s.Mechanism)
}
