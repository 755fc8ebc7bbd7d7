// Package notify tells people how a run stands, by the ways that the plan
// names. It knows nothing of the engine; a way that fails is reported and never
// stops anything.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"kplan/plan"
)

// tries is how often a server is asked in all; it shares the way's timeout.
const tries = 3

// Message is what people are told, as JSON.
type Message struct {
	FormatVersion string        `json:"format_version"`
	Migration     string        `json:"migration"`
	Occasion      plan.NotifyOn `json:"occasion"`
	Outcome       string        `json:"outcome"`
	Run           string        `json:"run"`
	Who           string        `json:"who"`
	Host          string        `json:"host"`
	At            time.Time     `json:"at"`
	Text          string        `json:"text"`              // one line for people
	Address       string        `json:"address,omitempty"` // park: the step that waits
	Command       string        `json:"command,omitempty"` // park: what to type
	Errors        []string      `json:"errors,omitempty"`
}

// Send tells every way that wants to hear of the occasion, one after the other.
// dir is the plan's directory. The error joins those of all ways; it names no
// secret.
func Send(ctx context.Context, ways []plan.Notify, dir string, m Message) error {
	m.FormatVersion = "1.0"
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the notification: %w", err)
	}
	var errs []error
	for _, w := range ways {
		if !slices.Contains(w.On, m.Occasion) {
			continue
		}
		switch {
		case w.Exec != nil:
			errs = append(errs, run(ctx, *w.Exec, dir, m, body))
		case w.HTTP != nil:
			errs = append(errs, post(ctx, *w.HTTP, body))
		}
	}
	return errors.Join(errs...)
}

// run gives the message to a program on its standard input. Its output goes
// nowhere.
func run(ctx context.Context, w plan.ExecNotify, dir string, m Message, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	name := w.Command[0]
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		abs, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("finding the notify program %s: %w", name, err)
		}
		name = abs
	}
	cmd := exec.CommandContext(ctx, name, w.Command[1:]...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(body)
	cmd.Env = append(cmd.Environ(), "KPLAN_OCCASION="+string(m.Occasion), "KPLAN_MIGRATION="+m.Migration)
	cmd.WaitDelay = time.Second // a child that keeps a pipe must not hang kplan
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running the notify program %s: %w. Nobody may have heard; the migration is not affected", w.Command[0], err)
	}
	return nil
}

// post sends the message, again where the server is busy or does not answer.
func post(ctx context.Context, w plan.HTTPNotify, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	where := host(w.URL.Reveal())
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), body)
	if err != nil {
		return fmt.Errorf("notifying %s: the url cannot be used", where)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range w.Headers {
		req.Header.Set(k, v.Reveal())
	}
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax = tries - 1
	client.RetryWaitMin = 200 * time.Millisecond
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("notifying %s: %s. Nobody may have heard; the migration is not affected", where, plain(err))
	}
	defer func() { _ = resp.Body.Close() }() // nothing is read from it
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("notifying %s: the server answers %s. Check the url and its token; the migration is not affected", where, resp.Status)
	}
	return nil
}

// host is what may be shown of a URL: its path often is a secret.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "the notify url"
	}
	return u.Host
}

// plain takes the URL off an error of net/http.
func plain(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return plain(wrapped.Err)
	}
	text := err.Error()
	if i := strings.Index(text, "://"); i >= 0 {
		return "no answer"
	}
	return text
}
