package kafka

import (
	"time"

	"github.com/IBM/sarama"
)

// SayAfter sets how long something may take in silence.
func SayAfter(c *Client, d time.Duration) { c.waits.after = d }

// Retriable reports whether the code is on the list.
func Retriable(code int16) bool { return retriable(sarama.KError(code)) }
