package kafka

import (
	"time"

	"github.com/IBM/sarama"
)

// SayAfter sets how long something may take in silence, and who is told.
func SayAfter(c *Client, d time.Duration, tell func(string)) { c.waits.after, c.waits.tell = d, tell }

// Retriable reports whether the code is on the list.
func Retriable(code int16) bool { return retriable(sarama.KError(code)) }
