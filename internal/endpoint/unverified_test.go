package endpoint_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/embedded/certs"
	"kplan/internal/endpoint"
	"kplan/plan"
)

// Certificates are taken unverified in two functions only, which look at them
// and send nothing. Whoever adds a third has to say here why.
func TestVerificationIsOnEverywhere(t *testing.T) {
	var found []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // somebody is writing it; it does not compile either
		}
		for _, d := range file.Decls {
			name := "a declaration"
			if f, is := d.(*ast.FuncDecl); is {
				name = f.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if id, is := n.(*ast.Ident); is && id.Name == "InsecureSkipVerify" {
					rel, _ := filepath.Rel(root, path) // both are relative to here
					found = append(found, filepath.ToSlash(rel)+": "+name)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	want := []string{"internal/endpoint/explain.go: speaksTLS", "internal/endpoint/presented.go: Presented"}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("where TLS verification is off (-want +got):\n%s", d)
	}
}

// A stranger behind the address, with a certificate that nobody trusts, is asked
// for that certificate and told nothing: no byte after the handshake, and not
// who asks.
func TestNothingIsToldToAStranger(t *testing.T) {
	pair, err := certs.SelfSigned(certs.Request{CommonName: "stranger", Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority(t).Issue(certs.Request{CommonName: "kplan", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := own.TLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: limit, ClientAuth: tls.RequestClientCert})
			conf := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{mine}}
			sasl := &plan.SASL{Mechanism: "PLAIN", Username: "kplan", Password: plan.NewSecret("canary")}
			ep := endpoint.Endpoint{Cluster: "old", TLS: conf, SASL: sasl}
			if shown := ep.Presented(t.Context(), s.address); len(shown) != 1 || shown[0].Subject != "CN=stranger" {
				t.Errorf("presented: %+v", shown)
			}
			_ = ep.Explain(t.Context(), s.address, errors.New("x"))
			plain := endpoint.Endpoint{Cluster: "old", SASL: sasl} // asks whether the port speaks TLS
			if got := plain.Explain(t.Context(), s.address, errors.New("x")); !strings.Contains(got.Why, "speaks TLS") {
				t.Errorf("%+v", got)
			}
			heard, clients := s.close()
			if len(heard) > 0 || clients > 0 {
				t.Errorf("the stranger heard %q and saw %d client certificates", heard, clients)
			}
		})
	}
}

// stranger hears what clients say inside TLS.
type stranger struct {
	address string
	l       net.Listener
	done    sync.WaitGroup

	mu      sync.Mutex
	heard   bytes.Buffer
	clients int // certificates
}

func listen(t *testing.T, conf *tls.Config) *stranger {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{address: l.Addr().String(), l: l}
	t.Cleanup(func() { _ = l.Close() })
	s.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.done.Go(func() { s.hear(conn.(*tls.Conn)) })
		}
	})
	return s
}

func (s *stranger) hear(conn *tls.Conn) {
	defer func() { _ = conn.Close() }() // nothing is written to it
	var all []byte
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard.Write(all)
	s.clients += len(conn.ConnectionState().PeerCertificates)
}

// close waits until all clients have hung up.
func (s *stranger) close() ([]byte, int) {
	_ = s.l.Close()
	s.done.Wait()
	return s.heard.Bytes(), s.clients
}
