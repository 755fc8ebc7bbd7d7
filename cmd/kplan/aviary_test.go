package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kplan/internal/embedded"
	"kplan/internal/embedded/certs"
)

// The canaries: every way in which a secret can come into a plan has one of its
// own. env() and file() bring them; the last is one that no cluster takes.
const (
	canaryPlain  = "canary-plain-4711"
	canaryScram  = "canary scram/&%4712"
	canaryClient = "canary-client-4713"
	canaryURL    = "canary-url-4714"
	canaryHeader = "canary-header-4715"
	canaryUser   = "canary-user-4716"
	canaryWrong  = "canary-wrong-4717"
)

// aviary is a plan full of secrets on two clusters that want them.
type aviary struct {
	t        *testing.T
	dir      string
	old      *embedded.Cluster
	conf     *tls.Config // of clients of old
	env      map[string]string
	hidden   map[string]string // what may be found nowhere → which secret it is
	hook     *hook
	searched int
}

// hook takes notifications.
type hook struct {
	mu   sync.Mutex
	said bytes.Buffer
	busy int // requests to refuse
}

// ServeHTTP keeps what comes, but for the places that are the secrets' own.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body) // what is missing is not found
	h.said.Write(body)
	for name, values := range r.Header {
		if name != "X-Api-Key" {
			fmt.Fprintln(&h.said, name, values)
		}
	}
	if h.busy > 0 {
		h.busy--
		w.WriteHeader(http.StatusForbidden)
	}
}

// newAviary lays the plan out; kind is that of the state.
func newAviary(t *testing.T, kind string) *aviary {
	t.Helper()
	a := &aviary{t: t, dir: t.TempDir(), hidden: map[string]string{}, hook: &hook{busy: 1}}
	var err error
	if a.old, err = embedded.Start(embedded.Options{
		TLS: true, ClientAuth: true, Topics: map[string]int32{"orders.events": 1},
		Users: []embedded.User{{Mechanism: embedded.Plain, Name: "kplan", Password: canaryPlain, Super: true}},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.old.Close)
	target, err := embedded.Start(embedded.Options{Users: []embedded.User{{Mechanism: embedded.ScramSHA512, Name: "kplan", Password: canaryScram, Super: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	server := httptest.NewServer(a.hook)
	t.Cleanup(server.Close)
	ca, err := a.old.Authority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(certs.Request{CommonName: "kplan", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	a.conf = &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if err := os.CopyFS(a.dir, os.DirFS(filepath.Join("testdata", "plan"))); err != nil {
		t.Fatal(err)
	}
	a.programs()
	list := func(of []string) string { return `["` + strings.Join(of, `", "`) + `"]` }
	a.write("clusters.kplan.hcl", fmt.Sprintf(canaryClusters, kind, list(a.old.Bootstrap()), list(a.old.Bootstrap()), list(target.Bootstrap())))
	a.write("ca.pem", string(ca.PEM()))
	a.write("client.pem", string(pair.CertPEM))
	a.write("client.key", string(pair.KeyPEM))
	a.write("scram.txt", canaryScram+"\n")
	a.env = map[string]string{
		"C_PLAIN": canaryPlain, "C_CLIENT": canaryClient, "C_USER": canaryUser,
		"KPLAN_VAR_hook": server.URL + "/" + canaryURL, "KPLAN_VAR_key": canaryHeader,
		"KPLAN_VAR_start": `["ops/slow", "start"]`,
	}
	for name, text := range map[string]string{
		"password of PLAIN": canaryPlain, "password of SCRAM": canaryScram, "client secret": canaryClient, "notify url": canaryURL,
		"notify header": canaryHeader, "user's password": canaryUser, "wrong password": canaryWrong,
	} {
		a.hide(name, text)
	}
	for line := range strings.Lines(string(pair.KeyPEM)) {
		if !strings.HasPrefix(line, "-----") {
			a.hide("client's key", strings.TrimSpace(line))
		}
	}
	return a
}

const canaryClusters = `
%s

variable "hook" {
  type      = string
  sensitive = true
}
variable "key" {
  type      = string
  sensitive = true
}

cluster "old" {
  bootstrap = %s
  tls {
    ca_file   = "ca.pem"
    cert_file = "client.pem"
    key_file  = "client.key"
  }
  sasl {
    mechanism = "PLAIN"
    username  = "kplan"
    password  = env("C_PLAIN")
  }
  listener "tokens" {
    bootstrap = %s
    tls {
      ca_file   = "ca.pem"
      cert_file = "client.pem"
      key_file  = "client.key"
    }
    sasl {
      mechanism     = "OAUTHBEARER"
      token_url     = "https://127.0.0.1:1/token"
      client_id     = "kplan"
      client_secret = env("C_CLIENT")
    }
  }
}

cluster "new" {
  bootstrap = %s
  sasl {
    mechanism = "SCRAM-SHA-512"
    username  = "kplan"
    password  = chomp(file("scram.txt"))
  }
}
`

const canaryExtras = `
  waive "connect.sasl" { reason = "the listener for tokens takes none" }
  gate "cutover" {
    before = "switch"
    approval "sre" {}
  }
  notify "http" {
    url     = var.hook
    headers = { "X-Api-Key" = var.key }
  }
`

// canaryAccess is compared, and not created: the embedded broker keeps no users
// beside its own.
const canaryAccess = `
  user "app" {
    mechanism = "SCRAM-SHA-256"
    password  = env("C_USER")
  }
`

// programs gives the service's programs their modes, and the plan what is told
// to people.
func (a *aviary) programs() {
	a.t.Helper()
	for _, name := range []string{"service"} {
		if err := os.Chmod(filepath.Join(a.dir, "ops", name), 0o755); err != nil {
			a.t.Fatal(err)
		}
	}
	a.write("ops/slow", "#!/bin/sh\n: >called\nwhile ! [ -e go ]; do sleep 0.05; done\nexec ops/service start\n")
	if err := os.Chmod(filepath.Join(a.dir, "ops", "slow"), 0o755); err != nil {
		a.t.Fatal(err)
	}
	shop, err := os.ReadFile(filepath.Join("testdata", "plan", "shop.kplan.hcl"))
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("shop.kplan.hcl", strings.Replace(string(shop), "  service \"shop\" {", canaryExtras+canaryAccess+"  service \"shop\" {", 1))
}

func (a *aviary) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// replace changes a file of the plan.
func (a *aviary) replace(name, what, by string) {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil || !strings.Contains(string(text), what) {
		a.t.Fatalf("%s does not have %q (%v)", name, what, err)
	}
	a.write(name, strings.Replace(string(text), what, by, 1))
}

// hide adds a secret in the forms that it takes on its way.
func (a *aviary) hide(name, text string) {
	for _, form := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text)), url.QueryEscape(text), url.PathEscape(text)} {
		a.hidden[form] = name
	}
}

// search looks for every secret.
func (a *aviary) search(where string, text []byte) {
	a.t.Helper()
	a.searched++
	for _, found := range a.shown(text) {
		a.t.Errorf("%s shows the %s", where, found)
	}
}

// shown names the secrets in a text, with what stands around them.
func (a *aviary) shown(text []byte) []string {
	var all []string
	for form, name := range a.hidden {
		if i := bytes.Index(text, []byte(form)); i >= 0 {
			all = append(all, fmt.Sprintf("%s: …%s…", name, text[max(0, i-60):min(len(text), i+len(form)+20)]))
		}
	}
	return all
}
