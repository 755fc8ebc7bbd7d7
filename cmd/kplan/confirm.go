package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// confirm asks once and takes only "yes". An interrupt is an answer, too.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := fmt.Fprint(out, "Carry this out? Only \"yes\" is taken: "); err != nil {
		return err
	}
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // ends with the process where nobody answers any more
		line, err := bufio.NewReader(in).ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return &codedError{code: exitInterrupted, err: errors.New("interrupted, nothing was carried out")}
	case a := <-answered:
		if a.err != nil && a.line == "" {
			return fmt.Errorf("reading the answer: %w", a.err)
		}
		if strings.TrimSpace(a.line) != "yes" {
			return errors.New("not carried out")
		}
		return nil
	}
}
