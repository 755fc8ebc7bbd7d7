package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kplan/internal/endpoint"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

const tokenSecret = "canary secret/+&%"

// bearer resolves a listener that gets its tokens from the issuer.
func bearer(t *testing.T, i *kafkatest.Issuer, change func(*plan.OAuth)) (endpoint.Endpoint, error) {
	t.Helper()
	dir := t.TempDir()
	if err := i.Authority.WriteFile(filepath.Join(dir, "issuer.pem")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := &plan.OAuth{TokenURL: i.URL, ClientID: "kplan", ClientSecret: plan.NewSecret(tokenSecret), Scopes: []string{"a", "b"}, CAFile: "issuer.pem"}
	if change != nil {
		change(o)
	}
	return endpoint.Own(dir, &plan.Cluster{Name: "old", Listener: plan.Listener{
		Bootstrap: []string{"a:1"}, SASL: &plan.SASL{Mechanism: "OAUTHBEARER", OAuth: o},
	}})
}

// One token serves all connections until shortly before its end, also when many
// ask at the same time.
func TestTokensAreKept(t *testing.T) {
	t.Parallel()
	i := kafkatest.StartIssuer(t, "kplan", tokenSecret)
	ep, err := bearer(t, i, nil)
	if err != nil {
		t.Fatal(err)
	}
	if i.Asked() != 0 {
		t.Error("the issuer was asked before anybody needed a token")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if token, err := ep.Tokens.Token(); err != nil || strings.Count(token, ".") != 2 {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	wg.Wait()
	if i.Asked() != 1 {
		t.Errorf("the issuer was asked %d times, want once", i.Asked())
	}
	i.Valid(5 * time.Second) // less than what is left at least
	if ep, err = bearer(t, i, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := ep.Tokens.Token(); err != nil {
			t.Fatal(err)
		}
	}
	if i.Asked() != 3 {
		t.Errorf("a token that ends at once was used again: asked %d times", i.Asked())
	}
}

// What goes wrong names the issuer, and neither the secret nor a token.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	strange := kafkatest.StartIssuer(t, "other", "other")
	for _, c := range []struct {
		name, says, do string
		change         func(*kafkatest.Issuer, *plan.OAuth)
	}{
		{"wrong secret", "it answers 401 Unauthorized: invalid_client: no client kplan with secret (sensitive)", "Check client_id", func(i *kafkatest.Issuer, _ *plan.OAuth) {
			i.Answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":"no client kplan with secret %s"}`, tokenSecret)
			})
		}},
		{"unknown client", "invalid_client: no client someone", "Check client_id", func(_ *kafkatest.Issuer, o *plan.OAuth) { o.ClientID = "someone" }},
		{"no issuer", "cannot parse json", "is the issuer's token endpoint", func(i *kafkatest.Issuer, _ *plan.OAuth) {
			i.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>"+tokenSecret) })
		}},
		{"moved", "sends kplan on to another address", "sends its secret to that one only", func(i *kafkatest.Issuer, _ *plan.OAuth) {
			i.Answer(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, strange.URL, http.StatusTemporaryRedirect)
			})
		}},
		{"wrong authority", "signed by an authority that the plan does not trust", "Set ca_file in the sasl block", func(_ *kafkatest.Issuer, o *plan.OAuth) { o.CAFile = "" }},
		{"wrong host", "its certificate is for another host", "Use the name", func(_ *kafkatest.Issuer, o *plan.OAuth) {
			o.TokenURL = strings.Replace(o.TokenURL, "127.0.0.1", "localhost", 1)
		}},
		{"nobody there", "connection refused", "can be reached from here", func(_ *kafkatest.Issuer, o *plan.OAuth) { o.TokenURL = "https://127.0.0.1:1/token" }},
		{"plain HTTP on a TLS port", "", "", func(_ *kafkatest.Issuer, o *plan.OAuth) { o.TokenURL = strings.Replace(o.TokenURL, "https", "http", 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := kafkatest.StartIssuer(t, "kplan", tokenSecret)
			ep, err := bearer(t, i, func(o *plan.OAuth) { c.change(i, o) })
			if err != nil {
				t.Fatal(err)
			}
			token, err := ep.Tokens.Token()
			var typed *endpoint.TokenError
			if token != "" || !errors.As(err, &typed) || typed.Issuer == "" || typed.Why == "" || typed.Do == "" {
				t.Fatalf("%q, %#v", token, err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.do) {
				t.Errorf("it says: %v", err)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "canary") {
					t.Errorf("it shows the secret: %v", e)
				}
			}
		})
	}
	if strange.Asked() != 0 {
		t.Error("the secret went where the issuer sent it on to")
	}
}

func TestTokenFiles(t *testing.T) {
	t.Parallel()
	i := kafkatest.StartIssuer(t, "kplan", tokenSecret)
	for file, says := range map[string]string{"missing.pem": `reading ca_file of the issuer of cluster "old"`, "empty.pem": "holds no PEM certificate: give the file of the authority that signed the issuer's"} {
		if _, err := bearer(t, i, func(o *plan.OAuth) { o.CAFile = file }); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := bearer(t, i, func(o *plan.OAuth) { o.TokenURL = ":" }); err == nil {
		t.Error("no URL is taken for one")
	}
}
