package plan

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

const defaultNotifyTimeout = 30 * time.Second

func (l *loader) buildNotify(b *block) Notify {
	n := Notify{On: []NotifyOn{OnPark, OnFail, OnDone}, Range: b.rng}
	timeout := defaultNotifyTimeout
	if d, ok := l.value(b, "timeout"); ok {
		timeout = d.duration
	}
	if on, ok := l.names(b, "on"); ok && len(on) > 0 {
		n.On = nil
		for _, word := range on {
			n.On = append(n.On, NotifyOn(word.Name))
		}
	}
	if b.spec.Variant == "exec" {
		n.Exec = &ExecNotify{Command: l.argv(b, "command"), Timeout: timeout}
		return n
	}
	n.HTTP = &HTTPNotify{Timeout: timeout}
	if d, ok := l.value(b, "url"); ok {
		n.HTTP.URL = d.secret
		l.checkURL(d)
	}
	if d, ok := l.value(b, "headers"); ok {
		n.HTTP.Headers = d.secrets
	}
	return n
}

// checkURL says what is wrong without repeating any of it.
func (l *loader) checkURL(d decoded) {
	u, err := url.Parse(d.secret.Reveal())
	switch {
	case err != nil:
		l.errorf("KP1901", d.rng, "This is no URL. Write one such as \"https://hooks.example/kplan\". %s", notShown)
	case !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https"):
		l.errorf("KP1901", d.rng, "The URL begins with neither http:// nor https://, and kplan posts to those only.")
	case u.Hostname() == "":
		l.errorf("KP1901", d.rng, "The URL has no host. Write one such as \"https://hooks.example/kplan\".")
	case u.User != nil && !d.marked:
		l.errorf("KP1115", d.rng, "The URL holds a user or a password in clear text. Take it from env(\"NAME\") or file(\"path\"), and replace the password: it has been in a file.")
	}
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// decodeHeaders never repeats anything of the values.
func (l *loader) decodeHeaders(spec *AttrSpec, v cty.Value, d *decoded) bool {
	whole, marks := v.Unmark()
	_, all := marks[sensitive]
	if !whole.Type().IsObjectType() && !whole.Type().IsMapType() {
		return l.wrongType(spec, d.rng, "a map of headers, such as { \"Authorization\" = env(\"TOKEN\") }")
	}
	d.secrets = map[string]Secret{}
	ok := true
	for it := whole.ElementIterator(); it.Next(); {
		k, element := it.Element()
		ok = l.decodeHeader(spec, k.AsString(), element, all, d) && ok
	}
	return ok
}

// decodeHeader reads one header; secret says that the whole map came as one.
func (l *loader) decodeHeader(spec *AttrSpec, name string, v cty.Value, secret bool, d *decoded) bool {
	clear, marks := v.UnmarkDeep()
	about := "The header " + quote(name)
	if secret {
		// Its name may have come the same way.
		about = "A header"
	}
	if _, is := marks[sensitive]; is {
		secret = true
	}
	if secret {
		l.sources.addSecrets(clear)
	}
	if d.marked = d.marked || secret; !headerName.MatchString(name) {
		l.errorf("KP1902", d.rng, "%s has a name that HTTP does not allow (RFC 9110). Use letters, digits and hyphens.", about)
		return false
	}
	if !secret && l.sources.secretHeader(name) {
		l.errorf("KP1115", d.rng, "%s holds a secret, and must come through env(\"NAME\") or file(\"path\"). A secret that stands in a file is known to everybody who reads it; replace it.", about)
		return false
	}
	c, err := convert.Convert(clear, cty.String)
	if err != nil || c.IsNull() {
		return l.wrongType(spec, d.rng, "text for each header")
	}
	if strings.ContainsFunc(c.AsString(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		l.errorf("KP1902", d.rng, "%s has a value with a line break or another control character, which HTTP does not allow. A file often ends with one: write chomp(file(\"path\")).", about)
		return false
	}
	d.secrets[name] = NewSecret(c.AsString())
	return true
}

// secretHeader reports whether a header of that name holds a secret.
func (s *Sources) secretHeader(name string) bool {
	name = strings.ToLower(name)
	for _, w := range []string{"auth", "cookie", "key", "signature"} {
		if strings.Contains(name, w) {
			return true
		}
	}
	return s.sensitiveName(name)
}
