package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// RefusedError is a broker's own refusal of a change, with its words.
type RefusedError struct {
	What string // "creating topic \"x\""
	Code string
	Text string
}

func (e *RefusedError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: refused by the brokers: %s", e.What, e.Code)
	}
	return fmt.Sprintf("%s: refused by the brokers: %s", e.What, e.Text)
}

// refusal is what the brokers say about one object of a request; text may be
// empty. A topic that exists already is cluster.ErrTopicExists.
func refusal(what string, code sarama.KError, text string) error {
	if errors.Is(code, sarama.ErrTopicAlreadyExists) {
		return fmt.Errorf("%s: %w", what, cluster.ErrTopicExists)
	}
	if text == "" {
		text = code.Error()
	}
	return &RefusedError{What: what, Code: code.Error(), Text: text}
}
