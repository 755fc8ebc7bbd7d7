package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"kplan/plan"
)

// issuerLimit bounds one question to an issuer.
const issuerLimit = 10 * time.Second

// TokenError says that an issuer gave no token. It holds neither the secret nor
// a token.
type TokenError struct {
	Issuer string // scheme and host of token_url
	Why    string
	Do     string
	Err    error // nil where its text might hold the secret
}

func (e *TokenError) Error() string {
	return fmt.Sprintf("getting a token from %s: %s. %s", e.Issuer, e.Why, e.Do)
}

func (e *TokenError) Unwrap() error { return e.Err }

// Tokens gives the tokens of one SASL block. It is safe for concurrent use.
type Tokens struct {
	source oauth2.TokenSource
	issuer string
	id     string
	secret plan.Secret
}

// newTokens prepares the questions; nothing is asked yet.
func newTokens(dir, cluster string, o *plan.OAuth) (*Tokens, error) {
	u, err := url.Parse(o.TokenURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("token_url of cluster %q is no URL", cluster)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		if conf.RootCAs, err = roots(dir, o.CAFile, fmt.Sprintf("the issuer of cluster %q", cluster), "the issuer's certificate"); err != nil {
			return nil, err
		}
	}
	client := &http.Client{
		Timeout: issuerLimit,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: issuerLimit, IdleConnTimeout: time.Minute,
		},
		// Another address would be told the secret as well.
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
	asks := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), TokenURL: o.TokenURL, Scopes: o.Scopes}
	// The context carries the HTTP client alone, and lives as long as the source.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	return &Tokens{source: asks.TokenSource(ctx), issuer: u.Scheme + "://" + u.Host, id: o.ClientID, secret: o.ClientSecret}, nil
}

var errRedirect = errors.New("the issuer sends kplan on to another address")

// Token returns a token that lasts for at least some seconds (10 s before its
// end a new one is got), or a *TokenError. It asks the issuer at most once at a
// time and for at most 10 s.
func (t *Tokens) Token() (string, error) {
	token, err := t.source.Token()
	if err != nil {
		return "", t.explain(err)
	}
	return token.AccessToken, nil
}

// explain turns what the library and the issuer said into words without the
// secret: an issuer may repeat in its answer what it was sent.
func (t *Tokens) explain(err error) *TokenError {
	out := &TokenError{Issuer: t.issuer}
	var refused *oauth2.RetrieveError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.Is(err, errRedirect):
		out.Why, out.Do = errRedirect.Error(), "Set token_url to the address where tokens are given; kplan sends its secret to that one only."
	case errors.As(err, &refused):
		out.Why, out.Do = t.refusal(refused), "Check client_id, client_secret and scopes in the sasl block, and that token_url is the issuer's token endpoint."
	case errors.As(err, &unknown):
		out.Why, out.Do, out.Err = "its certificate is signed by an authority that the plan does not trust", "Set ca_file in the sasl block to the certificate of the authority that signed it.", unknown
	case errors.As(err, &host):
		out.Why, out.Do, out.Err = fmt.Sprintf("its certificate is for another host (%v)", host), "Use the name in the certificate.", host
	default:
		cause := rootCause(err)
		out.Why, out.Do = t.clean(cause.Error()), "Check that token_url is the issuer's token endpoint and can be reached from here."
	}
	return out
}

// refusal is what the issuer said, by RFC 6749 (5.2) where it keeps to it.
func (t *Tokens) refusal(refused *oauth2.RetrieveError) string {
	why := "it gives none"
	if refused.Response != nil {
		why = "it answers " + refused.Response.Status
	}
	for _, said := range []string{refused.ErrorCode, refused.ErrorDescription} {
		if said = t.clean(said); said != "" {
			why += ": " + said
		}
	}
	return why
}

// clean leaves a short text on one line, without the secret.
func (t *Tokens) clean(said string) string {
	const most = 200
	secret := t.secret.Reveal()
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(t.id) + ":" + url.QueryEscape(secret)))
	for _, form := range []string{basic, secret, url.QueryEscape(secret), url.PathEscape(secret)} {
		if form != "" {
			said = strings.ReplaceAll(said, form, t.secret.String())
		}
	}
	said = strings.Join(strings.Fields(said), " ")
	if len(said) > most {
		said = said[:most] + "…"
	}
	return strings.TrimSuffix(said, ".")
}

// roots reads the certificates of authorities. of and signed are for messages:
// whose file it is, and what its authority signed.
func roots(dir, file, of, signed string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(inDir(dir, file))
	if err != nil {
		return nil, fmt.Errorf("reading ca_file of %s: %w", of, err)
	}
	pem = withoutMark(pem)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s of %s holds no PEM certificate: give the file of the authority that signed %s", file, of, signed)
	}
	return pool, nil
}
