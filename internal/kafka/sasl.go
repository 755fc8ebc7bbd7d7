package kafka

import (
	"github.com/IBM/sarama"

	"kplan/internal/endpoint"
)

// tokenProvider hands tokens to sarama, which asks for one with each connection
// that it opens.
type tokenProvider struct{ tokens *endpoint.Tokens }

// Token returns a token, or an *endpoint.TokenError.
func (p tokenProvider) Token() (*sarama.AccessToken, error) {
	token, err := p.tokens.Token()
	if err != nil {
		return nil, err
	}
	return &sarama.AccessToken{Token: token}, nil
}
