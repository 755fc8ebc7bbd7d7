package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/endpoint"
	"kplan/plan"
)

// Reach returns the options that lead to a listener of the plan.
func Reach(ep endpoint.Endpoint, pool *Pool) (Options, error) {
	mechanism, err := mechanismOf(ep.SASL)
	if err != nil {
		return Options{}, fmt.Errorf("%s: %w", ep.Name(), err)
	}
	return Options{Bootstrap: ep.Bootstrap, TLS: ep.TLS, SASL: mechanism, Pool: pool}, nil
}

func mechanismOf(s *plan.SASL) (sasl.Mechanism, error) {
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
	}
	return nil, fmt.Errorf("the mirror cannot log in by %s yet", s.Mechanism)
}
