package workload

import (
	"crypto/sha512"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// scramClient plays sarama's side of SCRAM (RFC 5802, KIP-84) on xdg-go/scram.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func scramClients(mechanism string) (func() sarama.SCRAMClient, error) {
	var hash scram.HashGeneratorFcn
	switch mechanism {
	case sarama.SASLTypeSCRAMSHA256:
		hash = scram.SHA256
	case sarama.SASLTypeSCRAMSHA512:
		hash = sha512.New
	default:
		return nil, fmt.Errorf("%q is not a SCRAM mechanism", mechanism)
	}
	return func() sarama.SCRAMClient { return &scramClient{hash: hash} }, nil
}

// Begin starts one authentication.
func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return fmt.Errorf("preparing SCRAM credentials: %w", err)
	}
	c.conversation = client.NewConversation()
	return nil
}

// Step answers one challenge of the broker.
func (c *scramClient) Step(challenge string) (string, error) {
	return c.conversation.Step(challenge)
}

// Done tells whether the broker has proved itself, too.
func (c *scramClient) Done() bool { return c.conversation.Done() }
