package kafkatest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kplan/internal/embedded/certs"
)

// Audience is that of the tokens of an Issuer.
const Audience = "kafka"

// Issuer is an OpenID Connect issuer that gives tokens for client credentials,
// signed with a key that brokers get from JWKS. Its methods and fields may be
// used by several goroutines, Change to alter the fields.
type Issuer struct {
	URL       string // of the token endpoint; https
	JWKS      string // of the keys; plain http, since it is the brokers that read them and nothing in it is secret
	Authority *certs.Authority

	mu     sync.Mutex
	key    *rsa.PrivateKey
	name   string // iss
	id     string
	secret string
	valid  time.Duration
	asked  int
	given  []string
	answer http.HandlerFunc
}

// StartIssuer starts an issuer that knows one client, for the time of the test.
func StartIssuer(t testing.TB, id, secret string) *Issuer {
	t.Helper()
	i := &Issuer{id: id, secret: secret, valid: time.Hour, name: "https://issuer.test"}
	var err error
	if i.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.Authority, err = certs.NewAuthority("issuer"); err != nil {
		t.Fatal(err)
	}
	pair, err := i.Authority.Issue(certs.Request{CommonName: "issuer", Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewUnstartedServer(http.HandlerFunc(i.token))
	tokens.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	tokens.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse it are a part of tests
	tokens.StartTLS()
	t.Cleanup(tokens.Close)
	keys := httptest.NewServer(http.HandlerFunc(i.keys))
	t.Cleanup(keys.Close)
	_, port, err := net.SplitHostPort(tokens.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	i.URL, i.JWKS = "https://127.0.0.1:"+port+"/token", keys.URL+"/keys"
	return i
}

// Valid sets for how long the tokens of the future last.
func (i *Issuer) Valid(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.valid = d
}

// Answer replaces what the token endpoint does; nil: gives tokens.
func (i *Issuer) Answer(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

// Asked is how often a token was asked for, rightly or not.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Given returns every token that was given.
func (i *Issuer) Given() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.given...)
}

// Listener returns a listener by that name which takes the issuer's tokens, with
// what the brokers need for it. The principal is User: and the client's id.
func (i *Issuer) Listener(name Listener, o *Options) {
	o.Named = append(o.Named, NamedListener{Name: name, Protocol: SASLTLS})
	prefix := "listener.name." + strings.ToLower(string(name)) + "."
	extra := map[string]string{
		prefix + "sasl.enabled.mechanisms": "OAUTHBEARER",
		// The issuer's keys; the class was renamed in 4.0 and the new name is not in 2.8.
		prefix + "oauthbearer.sasl.jaas.config":                   "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
		prefix + "oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
		prefix + "sasl.oauthbearer.jwks.endpoint.url":             i.JWKS,
		prefix + "sasl.oauthbearer.expected.audience":             Audience,
		prefix + "sasl.oauthbearer.expected.issuer":               i.name,
	}
	if o.ExtraProperties == nil {
		o.ExtraProperties = map[string]string{}
	}
	for k, v := range extra {
		o.ExtraProperties[k] = v
	}
	if o.SystemProperties == nil {
		o.SystemProperties = map[string]string{}
	}
	o.SystemProperties["org.apache.kafka.sasl.oauthbearer.allowed.urls"] = i.JWKS
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.answer != nil {
		i.answer(w, r)
		return
	}
	id, secret, ok := r.BasicAuth()
	if ok { // RFC 6749 (2.3.1): both are encoded as in a form
		id, _ = url.QueryUnescape(id) // what is wrong fits nobody
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	w.Header().Set("Content-Type", "application/json")
	if id != i.id || secret != i.secret || r.FormValue("grant_type") != "client_credentials" {
		w.WriteHeader(http.StatusUnauthorized)
		// As some issuers do, it repeats what it was sent.
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": "no client " + id + " with secret " + secret})
		return
	}
	token, err := i.sign(map[string]any{
		"iss": i.name, "sub": i.id, "aud": Audience, "scope": r.FormValue("scope"),
		"iat": time.Now().Unix(), "exp": time.Now().Add(i.valid).Unix(),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	i.given = append(i.given, token)
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(i.valid.Seconds())})
}

// sign makes a JSON Web Token (RFC 7519) with RS256.
func (i *Issuer) sign(claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"})
	if err != nil {
		return "", fmt.Errorf("encoding the token's header: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the token's claims: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	encode := base64.RawURLEncoding.EncodeToString
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
		"n": encode(i.key.N.Bytes()), "e": encode(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}
