package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"

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
	for form, name := range a.hidden {
		if i := bytes.Index(text, []byte(form)); i >= 0 {
			a.t.Errorf("%s shows the %s: …%s…", where, name, text[max(0, i-60):min(len(text), i+len(form)+20)])
		}
	}
}

func (a *aviary) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(built().kplan, append(args, "--log-level", "debug")...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	for _, name := range slices.Sorted(maps.Keys(a.env)) {
		cmd.Env = append(cmd.Env, name+"="+a.env[name])
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// run runs kplan to its end and searches what it said; -1 is any code.
func (a *aviary) run(code int, env []string, args ...string) string {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := a.command(env, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		a.t.Fatal(err)
	}
	what := "kplan " + strings.Join(args, " ")
	a.search(what+": stdout", stdout.Bytes())
	a.search(what+": stderr", stderr.Bytes())
	if got := cmd.ProcessState.ExitCode(); code >= 0 && got != code {
		a.t.Fatalf("%s: exit code %d, want %d\n%s%s", what, got, code, &stdout, &stderr)
	}
	return stdout.String()
}

// files searches what lies in the plan's directory but is not a part of the
// plan, and looks who may read the state.
func (a *aviary) files() {
	a.t.Helper()
	own := map[string]bool{"client.key": true, "scram.txt": true}
	seen := 0
	err := filepath.WalkDir(a.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(a.dir, path)
		if err != nil || own[rel] {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		private := rel == ".kplan" || strings.HasPrefix(rel, ".kplan"+string(filepath.Separator)) || strings.HasSuffix(rel, ".plan")
		if private && info.Mode().Perm()&0o077 != 0 {
			a.t.Errorf("%s has the mode %s: others may read it", rel, info.Mode())
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		if private {
			seen++
		}
		data, err := os.ReadFile(path)
		a.search(rel, data)
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if seen < 3 {
		a.t.Errorf("only %d files of the state were searched", seen)
	}
}

// reports are flags for every kind that the command makes.
func reports(command string) []string {
	var flags []string
	for _, kind := range reportKinds(command) {
		flags = append(flags, "--report", fmt.Sprintf("%s=%s.%s.report", kind, command, kind))
	}
	return flags
}

// No secret of a plan shows up anywhere: not in what any command prints, in any
// format, when it works and when it does not; not in reports, state, saved
// plans, notifications or logs.
func TestCanaries(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{"file": `state "file" {}`, "kafka": `state "kafka" { cluster = cluster.old }`} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			a := newAviary(t, text)
			a.read(exitDone)
			a.replace("shop.kplan.hcl", canaryAccess, "")
			a.run(exitParked, nil, append([]string{"apply", "--yes"}, reports("apply")...)...)
			a.read(-1)
			a.run(exitDone, nil, "approve", "cutover", "--json")
			a.wrong()
			a.crash()
			a.run(exitDone, nil, "apply", "--yes", "--json")
			a.read(-1)
			a.run(exitDone, nil, "diff", "--out", "later.plan")
			a.files()
			if kind == "kafka" {
				a.topic()
				a.move()
			}
			a.hook.mu.Lock()
			a.search("a notification", a.hook.said.Bytes())
			if !strings.Contains(a.hook.said.String(), `"occasion":"done"`) {
				t.Errorf("nobody was told:\n%s", a.hook.said.String())
			}
			a.hook.mu.Unlock()
			t.Logf("%d texts searched for %d forms of secrets", a.searched, len(a.hidden))
		})
	}
}

// read runs every command that changes nothing.
func (a *aviary) read(code int) {
	a.t.Helper()
	a.run(exitDone, nil, append([]string{"validate"}, reports("validate")...)...)
	a.run(exitDone, nil, append([]string{"diff", "--full", "--out", "saved.plan"}, reports("diff")...)...)
	a.run(-1, nil, append([]string{"verify"}, reports("verify")...)...)
	for _, args := range [][]string{{"graph"}, {"show", "saved.plan"}, {"status"}, {"state", "list"}, {"lock"}} {
		a.run(code, nil, args...)
	}
	for _, args := range [][]string{{"validate"}, {"graph"}, {"diff"}, {"show", "saved.plan"}, {"status"}, {"verify"}, {"probe"}, {"state", "list"}, {"state", "show", "switch.service.shop.stop"}, {"lock"}} {
		a.run(-1, nil, append(args, "--json")...)
	}
	a.run(-1, nil, append([]string{"probe"}, reports("probe")...)...)
	a.run(-1, nil, "state", "show", "switch.service.shop.stop")
}

// move takes the state out of the topic, into files that are as private.
func (a *aviary) move() {
	a.t.Helper()
	a.replace("clusters.kplan.hcl", `state "kafka" { cluster = cluster.old }`, `state "file" {}`)
	a.run(exitDone, nil, "state", "move", "--from-kafka", "old", "--json")
	a.files()
}

// wrong makes what fails speak: passwords that the clusters refuse, a plan with
// a mistake beside each secret.
func (a *aviary) wrong() {
	a.t.Helper()
	for _, args := range [][]string{{"diff"}, {"diff", "--json"}, {"verify"}, {"probe"}, {"apply", "--yes"}, {"status"}} {
		a.run(-1, []string{"C_PLAIN=" + canaryWrong}, args...)
	}
	good, err := os.ReadFile(filepath.Join(a.dir, "clusters.kplan.hcl"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, bad := range []string{
		strings.ReplaceAll(string(good), `env("C_PLAIN")`, `"`+canaryWrong+`"`),
		strings.ReplaceAll(string(good), "username  =", "user ="),
		strings.ReplaceAll(string(good), "password  =", "paswort ="),
		string(good) + "\n cluster \"" + "x {",
		strings.ReplaceAll(string(good), `chomp(file("scram.txt"))`, `upper(file("scram.txt"), 1)`),
		strings.ReplaceAll(string(good), `"kplan"`, `env("C_PLAIN")`),
	} {
		a.write("clusters.kplan.hcl", bad)
		saved := a.hidden
		a.run(exitError, nil, "validate")
		a.run(exitError, nil, "validate", "--json")
		a.hidden = saved
	}
	a.write("clusters.kplan.hcl", string(good))
}

// crash dumps all goroutines of an apply in its middle.
func (a *aviary) crash() {
	a.t.Helper()
	var stdout, stderr scriptBuffer
	cmd := a.command([]string{"GOTRACEBACK=all"}, "apply", "--yes")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	called := filepath.Join(a.dir, "called")
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(called); err == nil {
			break
		}
		if time.Now().After(limit) {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()         // the same
			a.t.Fatalf("apply did not come to the start:\n%s%s", stdout.String(), stderr.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		a.t.Fatal(err)
	}
	_ = cmd.Wait() // it dies of the signal
	a.write("go", "")
	if n := strings.Count(stderr.String(), "\ngoroutine "); n < 5 {
		a.t.Errorf("the dump has %d goroutines only:\n%s", n, stderr.String())
	}
	a.search("the dump of all goroutines", []byte(stderr.String()+stdout.String()))
}

// topic searches the raw records of the state's topic.
func (a *aviary) topic() {
	a.t.Helper()
	conf := sarama.NewConfig()
	conf.Net.TLS.Enable, conf.Net.TLS.Config = true, a.conf
	conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, "kplan", canaryPlain
	consumer, err := sarama.NewConsumer(a.old.Bootstrap(), conf)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }() // it has done its part
	p, err := consumer.ConsumePartition("_kplan.orders", 0, sarama.OffsetOldest)
	if err != nil {
		a.t.Fatal(err)
	}
	n := 0
	for limit := time.After(20 * time.Second); ; {
		select {
		case m := <-p.Messages():
			n++
			a.search(fmt.Sprintf("record %d of the state's topic", m.Offset), slices.Concat(m.Key, m.Value))
			if m.Offset+1 < p.HighWaterMarkOffset() {
				continue
			}
			if n < 10 {
				a.t.Errorf("only %d records of the state's topic were searched", n)
			}
			return
		case <-limit:
			a.t.Fatalf("the state's topic ended after %d records", n)
		}
	}
}
