package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

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

// The search finds a secret that is planted, in every form.
func TestCanariesWouldBeFound(t *testing.T) {
	a := &aviary{t: t, hidden: map[string]string{}}
	const secret = "canary+/of &the test"
	a.hide("password", secret)
	for _, form := range []string{
		"login with " + secret + " refused", `{"auth":"` + base64.StdEncoding.EncodeToString([]byte(secret)) + `"}`,
		hex.EncodeToString([]byte(secret)), "https://x/?p=" + url.QueryEscape(secret), "https://x/" + url.PathEscape(secret),
	} {
		if len(a.shown([]byte(form))) == 0 {
			t.Errorf("not found in %q", form)
		}
	}
	if found := a.shown([]byte("nothing of the kind")); len(found) > 0 {
		t.Errorf("found where there is none: %v", found)
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
