package plan

import (
	"net"
	"net/url"
	"strings"
)

const oauthBearer = "OAUTHBEARER"

// buildSASL reads how a client proves who it is.
func (l *loader) buildSASL(b *block) *SASL {
	s := &SASL{Range: b.rng}
	mechanism, known := l.value(b, "mechanism")
	s.Mechanism = mechanism.text
	token := s.Mechanism == oauthBearer
	if known {
		l.credentials(b, token)
	}
	if d, ok := l.value(b, "username"); ok {
		s.Username = d.text
	}
	if d, ok := l.value(b, "password"); ok {
		s.Password = d.secret
	}
	o := l.buildOAuth(b)
	if token {
		s.OAuth = o
	}
	return s
}

// credentials reports what the mechanism needs and what it has no use for.
func (l *loader) credentials(b *block, token bool) {
	needs := map[string]bool{"username": !token, "password": !token, "token_url": token, "client_id": token, "client_secret": token}
	name := "PLAIN or SCRAM"
	if token {
		name = oauthBearer
	}
	for _, a := range b.spec.Attrs {
		needed, known := needs[a.Name]
		optional := a.Name == "scopes" || a.Name == "ca_file"
		at := b.attrs[a.Name]
		switch {
		case known && needed && at == nil:
			l.errorf("KP1205", b.rng, "sasl needs the argument %s with %s. %s", a.Name, name, a.Doc)
		case at != nil && (known && !needed || optional && !token):
			l.errorf("KP1308", at.NameRange, "%s has no meaning with %s. Remove it, or correct mechanism.", a.Name, name)
		}
	}
}

func (l *loader) buildOAuth(b *block) *OAuth {
	o := &OAuth{CAFile: l.existingFile(b, "ca_file")}
	if d, ok := l.value(b, "token_url"); ok {
		o.TokenURL = d.text
		if hint := badTokenURL(d.text); hint != "" {
			l.errorf("KP1309", d.rng, "%s", hint)
		}
	}
	if d, ok := l.value(b, "client_id"); ok {
		o.ClientID = d.text
	}
	if d, ok := l.value(b, "client_secret"); ok {
		o.ClientSecret = d.secret
	}
	if d, ok := l.value(b, "scopes"); ok {
		for _, s := range d.list {
			o.Scopes = append(o.Scopes, s.Name)
		}
	}
	return o
}

// badTokenURL says what is wrong with the address of an issuer, or "". It
// repeats nothing of it, since people put secrets into addresses.
func badTokenURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "This is no URL with a host. Write one such as \"https://issuer.example/oauth2/token\"."
	case u.User != nil:
		return "The URL holds a user, which would be shown. Give client_id and client_secret instead."
	case u.RawQuery != "" || u.Fragment != "":
		return "The URL holds a query or a fragment. Give the token endpoint alone; scopes have an argument of their own."
	case strings.EqualFold(u.Scheme, "https"):
		return ""
	case strings.EqualFold(u.Scheme, "http") && loopback(u.Hostname()):
		return "" // nobody else hears it
	}
	return "The client secret would travel in clear text. Write https://; plain http is taken on the loopback interface only."
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
