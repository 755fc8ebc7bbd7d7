package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kplan/internal/migration"
	"kplan/plan"
)

// author is for whom this process records.
func author() migration.Author {
	who, host := whoami()
	return migration.Author{Who: who, Host: host, Version: version}
}

// begin takes the lock. What it waits for it says on stderr.
func (a *app) begin(ctx context.Context, p *plan.Plan, stderr io.Writer) (*migration.Session, error) {
	say := func(text string) { fmt.Fprintln(stderr, text) } // a note
	opts, err := crashes()
	if err != nil {
		return nil, err
	}
	b, err := a.backend(ctx, p, p.State, append(opts, migration.OnWait(say))...)
	if err != nil {
		return nil, err
	}
	run, err := newRequestID()
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	by := author()
	return migration.Begin(ctx, b, holder(by.Who, by.Host), by, run, say)
}
