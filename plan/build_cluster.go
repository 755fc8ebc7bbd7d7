package plan

import (
	"bytes"
	"os"
	"regexp"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// identifier checks a name that expressions refer to.
func (l *loader) identifier(x label, what string) {
	if !hclsyntax.ValidIdentifier(x.text) {
		l.errorf("KP1215", x.rng, "%s is no name for %s. It begins with a letter and goes on with letters, digits, _ and -.", quote(x.text), withArticle(what))
	}
}

// longestName leaves room for what is called after a name: Kafka's topics and the
// names of files have about 250 characters.
const longestName = 200

// plainName checks a name that becomes part of addresses and file names.
func (l *loader) plainName(x label, what string) {
	if !plainName.MatchString(x.text) {
		l.errorf("KP1215", x.rng, "%s is no name for %s. Use letters, digits, _ and - only.", quote(x.text), withArticle(what))
	}
	if len(x.text) > longestName {
		l.errorf("KP1215", x.rng, "The name of the %s has %d characters, and %d are the most: topics, groups and directories are called after it.", what, len(x.text), longestName)
	}
}

// checkVersion compares required_version with the running kplan. A build
// without a version cannot be compared, and developers should not be locked
// out of plans: it passes with a note.
func (l *loader) checkVersion(b *block) {
	if b == nil {
		return
	}
	d, ok := l.value(b, "required_version")
	if !ok {
		return
	}
	want, err := version.NewConstraint(d.text)
	if err != nil {
		l.errorf("KP1006", d.rng, "%s is not a requirement of versions. Write comparisons separated by commas, such as \">= 0.1, < 2.0\".", quote(d.text))
		return
	}
	have, err := version.NewVersion(l.opts.Version)
	switch {
	case err != nil || have.Prerelease() != "":
		l.warnf("KP1005", d.rng, "The plan asks for kplan %s. This build is not a release, so nothing was compared.", printable(d.text))
	case !want.Check(have):
		l.errorf("KP1004", d.rng, "The plan asks for kplan %s, and this is %s. Run another version, or change the requirement after reading the changelog.", printable(d.text), have)
	}
}

// buildState reads where kplan remembers what it has done; target is that of
// the migration, or nil.
func (l *loader) buildState(b *block, clusters []*Cluster, target *Cluster) State {
	s := State{Backend: "file", Path: ".kplan"}
	if b == nil {
		return s
	}
	s.Range, s.Backend = b.rng, b.spec.Variant
	if s.Backend == "kafka" {
		s.Cluster = l.clusterRef(b, "cluster", clusters)
		if d, ok := l.value(b, "replication_factor"); ok {
			s.ReplicationFactor = int(d.number)
		}
		if s.Cluster != nil && s.Cluster == target {
			l.warnf("KP1703", b.attrs["cluster"].Expr.Range(), "The state would live on %s alone, the cluster that the migration moves to: without it nobody could tell what has moved, which is when it is needed most (R19). Name the source, or a third cluster.", quote(target.Name))
		}
		return s
	}
	if d, ok := l.value(b, "path"); ok {
		s.Path = d.text
		if info, err := os.Stat(inDir(l.opts.Dir, d.text)); err == nil && !info.IsDir() {
			l.errorf("KP1702", d.rng, "%s is not a directory. kplan keeps its state in a directory; choose another path.", quote(d.text))
		}
	}
	return s
}

func (l *loader) buildCluster(b *block) *Cluster {
	c := &Cluster{Name: b.labels[0].text, Range: b.rng}
	l.identifier(b.labels[0], "cluster")
	c.Listener = l.buildListener(b, "")
	if d, ok := l.value(b, "cluster_id"); ok {
		c.ClusterID = d.text
	}
	if inner := b.only("capacity"); inner != nil {
		c.Capacity = l.buildCapacity(inner)
	}
	if inner := b.only("authorizer"); inner != nil {
		if d, ok := l.value(inner, "allow_everyone"); ok {
			c.Authorizer = &Authorizer{AllowEveryone: d.yes, Range: inner.rng}
		}
	}
	for _, inner := range b.all("listener") {
		l.plainName(inner.labels[0], "listener")
		further := l.buildListener(inner, inner.labels[0].text)
		c.Listeners = append(c.Listeners, &further)
	}
	return c
}

func (l *loader) buildCapacity(b *block) *Capacity {
	c := &Capacity{Range: b.rng}
	if d, ok := l.value(b, "racks"); ok {
		c.Racks = int(d.number)
	}
	if d, ok := l.value(b, "disk_bytes"); ok {
		c.DiskBytes = d.number
	}
	if d, ok := l.value(b, "headroom"); ok {
		c.Headroom = d.fraction
	}
	return c
}

// buildListener reads a listener block, or the part of a cluster block that is
// one.
func (l *loader) buildListener(b *block, name string) Listener {
	lis := Listener{Name: name, Range: b.rng}
	d, _ := l.value(b, "bootstrap")
	seen := map[string]bool{}
	for _, address := range d.list {
		if hint := badAddress(address.Name); hint != "" {
			l.errorf("KP1303", address.Range, "%s is not an address. %s", quote(address.Name), hint)
		}
		if seen[strings.ToLower(address.Name)] {
			l.errorf("KP1304", address.Range, "%s stands in this list already. Remove it.", quote(address.Name))
		}
		seen[strings.ToLower(address.Name)] = true
		lis.Bootstrap = append(lis.Bootstrap, address.Name)
	}
	if inner := b.only("tls"); inner != nil {
		lis.TLS = l.buildTLS(inner)
	}
	if inner := b.only("sasl"); inner != nil {
		lis.SASL = l.buildSASL(inner)
	}
	return lis
}

func (l *loader) buildTLS(b *block) *TLS {
	t := &TLS{Range: b.rng}
	t.CAFile = l.existingFile(b, "ca_file")
	t.CertFile = l.existingFile(b, "cert_file")
	t.KeyFile = l.existingFile(b, "key_file")
	l.plainKey(b, t.KeyFile)
	if d, ok := l.value(b, "server_name"); ok {
		t.ServerName = d.text
	}
	cert, key := b.attrs["cert_file"], b.attrs["key_file"]
	switch {
	case cert != nil && key == nil:
		l.errorf("KP1306", cert.NameRange, "cert_file needs key_file, the certificate's key.")
	case cert == nil && key != nil:
		l.errorf("KP1306", key.NameRange, "key_file needs cert_file, the key's certificate.")
	}
	return t
}

// plainKey reports a key that a passphrase protects: nobody could type it.
func (l *loader) plainKey(b *block, file string) {
	if file == "" {
		return
	}
	text, err := readRegular(inDir(l.opts.Dir, file))
	if err != nil { // said already, or when it is used
		return
	}
	if EncryptedKey(text) {
		d, _ := l.value(b, "key_file")
		l.errorf("KP1305", d.rng, "The key in %s is encrypted, and kplan does not read encrypted keys. Decrypt it into a file that only kplan may read (openssl pkey -in %s -out PLAIN.key), and name that.", quote(file), quote(file))
	}
}

// EncryptedKey reports whether a PEM file holds a key that a passphrase protects
// (PKCS #8, or OpenSSL's older form).
func EncryptedKey(text []byte) bool {
	return bytes.Contains(text, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")) || bytes.Contains(text, []byte("Proc-Type: 4,ENCRYPTED"))
}

func (l *loader) existingFile(b *block, name string) string {
	d, ok := l.value(b, name)
	if !ok {
		return ""
	}
	info, err := os.Stat(inDir(l.opts.Dir, d.text))
	switch {
	case err != nil:
		l.errorf("KP1305", d.rng, "There is no file %s: %s. The path is relative to the plan's directory.", quote(d.text), cause(err))
	case info.IsDir():
		l.errorf("KP1305", d.rng, "%s is a directory. Name the file.", quote(d.text))
	}
	return d.text
}
