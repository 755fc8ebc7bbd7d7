package kafkatest

import (
	"errors"
	"fmt"
	"os"
)

// reportFile is the environment variable that names a file to which each
// cluster adds a line about what it is, so that a run of many test packages can
// show which brokers took part.
const reportFile = "KAFKATEST_REPORT"

func (c *Cluster) report() (err error) {
	path := os.Getenv(reportFile)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("reporting the broker: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := fmt.Fprintf(f, "%s, %d broker(s), cluster id %s\n", c.version, c.options.Brokers, c.id); err != nil {
		return fmt.Errorf("reporting the broker: %w", err)
	}
	return nil
}
