package kafka

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"kplan/internal/endpoint"
)

// newConfig is the one place where sarama is configured. Version is the newest
// that sarama knows: it lowers each request to what the broker at the other
// end offers.
func newConfig(ep endpoint.Endpoint) *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "kplan"
	conf.Version = sarama.MaxVersion
	conf.Net.DialTimeout = dialTimeout
	conf.Net.ReadTimeout = requestTimeout
	conf.Net.WriteTimeout = requestTimeout
	conf.Metadata.Retry.Max = 0 // Client.retry asks again
	conf.Metadata.Full = false  // see Client.discover
	conf.Metadata.AllowAutoTopicCreation = false
	conf.Metadata.SingleFlight = true
	conf.Admin.Timeout = requestTimeout
	conf.Admin.Retry.Max = 5
	conf.Admin.Retry.Backoff = 200 * time.Millisecond
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	if ep.TLS != nil {
		conf.Net.TLS.Enable = true
		conf.Net.TLS.Config = ep.TLS.Clone()
	}
	if s := ep.SASL; s != nil {
		conf.Net.SASL.Enable = true
		conf.Net.SASL.Mechanism = sarama.SASLMechanism(s.Mechanism)
		conf.Net.SASL.User = s.Username
		conf.Net.SASL.Password = s.Password.Reveal()
		switch s.Mechanism {
		case sarama.SASLTypeOAuth:
			conf.Net.SASL.TokenProvider = tokenProvider{ep.Tokens}
		case sarama.SASLTypeSCRAMSHA256:
			conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
		case sarama.SASLTypeSCRAMSHA512:
			conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
		}
	}
	return conf
}

// scramClient is one SCRAM exchange (RFC 5802).
type scramClient struct {
	hash scram.HashGeneratorFcn
	conv *scram.ClientConversation
}

// Begin starts the exchange.
func (s *scramClient) Begin(user, password, authzID string) error {
	client, err := s.hash.NewClient(user, password, authzID)
	if err != nil {
		return fmt.Errorf("preparing the SCRAM exchange for user %q: %w", user, err)
	}
	s.conv = client.NewConversation()
	return nil
}

// Step answers one challenge.
func (s *scramClient) Step(challenge string) (string, error) { return s.conv.Step(challenge) }

// Done reports whether the exchange is over.
func (s *scramClient) Done() bool { return s.conv.Done() }
