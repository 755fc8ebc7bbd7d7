package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/notify"
	"kplan/plan"
)

func message() notify.Message {
	return notify.Message{
		Migration: "orders", Occasion: plan.OnPark, Outcome: "parked", Run: "r1", Who: "ann", Host: "desk",
		At: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Text: "orders waits", Address: "gate.cutover", Command: "kplan approve gate.cutover",
	}
}

// server answers with the codes in turn, the last one for ever, and keeps what
// it was sent.
func server(t *testing.T, codes ...int) (url string, got *[]string) {
	t.Helper()
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, r.Header.Get("Authorization")+" "+string(body))
		w.WriteHeader(codes[min(len(bodies), len(codes))-1])
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hook/topsecret", &bodies
}

func byHTTP(url string, on ...plan.NotifyOn) plan.Notify {
	return plan.Notify{On: on, HTTP: &plan.HTTPNotify{
		URL: plan.NewSecret(url), Headers: map[string]plan.Secret{"Authorization": plan.NewSecret("Bearer x")}, Timeout: 10 * time.Second,
	}}
}

func TestHTTP(t *testing.T) {
	url, got := server(t, http.StatusServiceUnavailable, http.StatusOK)
	ways := []plan.Notify{byHTTP(url, plan.OnDone), byHTTP(url, plan.OnPark, plan.OnFail)}
	if err := notify.Send(t.Context(), ways, ".", message()); err != nil {
		t.Fatal(err)
	}
	if len(*got) != 2 || (*got)[0] != (*got)[1] {
		t.Fatalf("one way, tried twice, was expected: %q", *got)
	}
	header, body, _ := strings.Cut((*got)[1], "{")
	var m notify.Message
	if err := json.Unmarshal([]byte("{"+body), &m); err != nil {
		t.Fatal(err)
	}
	want := message()
	want.FormatVersion = "1.0"
	if d := cmp.Diff(want, m); d != "" || header != "Bearer x " {
		t.Errorf("header %q, message (-want +got):\n%s", header, d)
	}
}

// TestHTTPFails names the server and no secret.
func TestHTTPFails(t *testing.T) {
	refusing, _ := server(t, http.StatusForbidden)
	busy, got := server(t, http.StatusBadGateway)
	for _, url := range []string{refusing, busy, "http://127.0.0.1:1/hook/topsecret", "http://[::1]:namedport/topsecret"} {
		err := notify.Send(t.Context(), []plan.Notify{byHTTP(url, plan.OnPark)}, ".", message())
		if err == nil || strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "Bearer") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(*got) != 3 {
		t.Errorf("a busy server was asked %d times, want 3", len(*got))
	}
}

// TestHTTPHangs ends at the timeout.
func TestHTTPHangs(t *testing.T) {
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hold) })
	way := byHTTP(s.URL, plan.OnPark)
	way.HTTP.Timeout = 50 * time.Millisecond
	if err := notify.Send(t.Context(), []plan.Notify{way}, ".", message()); err == nil {
		t.Error("no answer, and no error")
	}
}

func TestExec(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "tell")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ncat >told\necho \"$KPLAN_OCCASION $1\" >env\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	way := plan.Notify{On: []plan.NotifyOn{plan.OnPark}, Exec: &plan.ExecNotify{Command: []string{"./tell", "loud"}, Timeout: 10 * time.Second}}
	if err := notify.Send(t.Context(), []plan.Notify{way}, dir, message()); err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(filepath.Join(dir, "told"))
	if err != nil || !json.Valid(told) {
		t.Errorf("%q, %v", told, err)
	}
	if env, err := os.ReadFile(filepath.Join(dir, "env")); err != nil || string(env) != "park loud\n" {
		t.Errorf("%q, %v", env, err)
	}
}

// TestExecHangs ends the program at its timeout.
func TestExecHangs(t *testing.T) {
	way := plan.Notify{On: []plan.NotifyOn{plan.OnPark}, Exec: &plan.ExecNotify{Command: []string{"sleep", "60"}, Timeout: 50 * time.Millisecond}}
	began := time.Now()
	if err := notify.Send(context.Background(), []plan.Notify{way}, ".", message()); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
