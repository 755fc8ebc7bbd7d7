package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"kplan/internal/cluster"
)

// Role is what a service does.
type Role string

// The roles. A processor reads some topics and writes one record to each of its
// output topics for every record that it reads.
const (
	Producer  Role = "producer"
	Processor Role = "processor"
	Consumer  Role = "consumer"
)

// Service defines one service; the same definition serves both sides.
type Service struct {
	Name     string   `json:"name"` // letters, digits, dot, dash, underscore
	Role     Role     `json:"role"`
	Consumes []string `json:"consumes,omitempty"`
	Produces []string `json:"produces,omitempty"`
	Group    string   `json:"group,omitempty"` // the same on both clusters

	// Rate is a producer's records per second, over all its topics and keys.
	Rate int `json:"rate,omitempty"`
	// Keys is the number of a producer's keys; each topic has all of them.
	Keys int `json:"keys,omitempty"`
	// ValueBytes pads record values to about this size.
	ValueBytes int `json:"value_bytes,omitempty"`

	// Linger makes a producer say that it is gone as soon as it is told to
	// stop, and write on for so long, as a client with a full queue does that
	// nobody waits for.
	Linger time.Duration `json:"linger_ns,omitempty"`

	// Pace bounds how many records a second a reader handles, so that a
	// backlog can be seen; 0 means no bound.
	Pace int `json:"pace,omitempty"`

	// LazyCommit leaves partitions that never had a record without a commit,
	// as librdkafka and sarama do. By default the initial position is
	// committed, as Java's consumer does.
	LazyCommit bool `json:"lazy_commit,omitempty"`

	// Logins are the service's own, by side; where there is none it logs in as
	// the side's connection says.
	Logins map[string]SASL `json:"logins,omitempty"`
}

// Services is the content of services.json.
type Services struct {
	Services []Service `json:"services"`
	// Lifetime ends every service process by itself, so that a test that
	// dies leaves nothing running; zero means an hour. In nanoseconds.
	Lifetime time.Duration `json:"lifetime_ns,omitempty"`
}

var nameOK = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (s Service) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("service %q: "+format, append([]any{s.Name}, args...)...))
	}
	if !nameOK.MatchString(s.Name) {
		bad("the name may hold letters, digits, dots, dashes and underscores, and begins with a letter or digit")
	}
	reads, writes := s.Role == Consumer || s.Role == Processor, s.Role == Producer || s.Role == Processor
	switch {
	case !reads && !writes:
		bad("role %q: want producer, processor or consumer", s.Role)
	case reads && (len(s.Consumes) == 0 || s.Group == ""):
		bad("a %s needs consumes and group", s.Role)
	case !reads && (len(s.Consumes) > 0 || s.Group != ""):
		bad("a producer has neither consumes nor group")
	case writes && len(s.Produces) == 0:
		bad("a %s needs produces", s.Role)
	case !writes && len(s.Produces) > 0:
		bad("a consumer has no produces")
	}
	if s.Role == Producer && (s.Rate <= 0 || s.Keys <= 0) {
		bad("a producer needs a rate and a number of keys above zero")
	}
	return errors.Join(errs...)
}

// identity names the reader for the proof: members of one group share their
// records.
func (s Service) identity() string {
	if s.Group != "" {
		return s.Group
	}
	return s.Name
}

// WriteServices validates the definitions and writes them into the work
// directory dir, which it creates where it is missing.
func WriteServices(dir string, s Services) error {
	if err := s.validate(); err != nil {
		return fmt.Errorf("writing services.json: %w", err)
	}
	for _, sub := range []string{runDir, logDir, ledgerDir, seqDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return fmt.Errorf("making the work directory: %w", err)
		}
	}
	return writeJSON(filepath.Join(dir, "services.json"), s)
}

// ReadServices reads the definitions of a work directory.
func ReadServices(dir string) (Services, error) {
	var s Services
	if err := readJSON(filepath.Join(dir, "services.json"), &s); err != nil {
		return Services{}, err
	}
	if err := s.validate(); err != nil {
		return Services{}, fmt.Errorf("reading services.json: %w", err)
	}
	return s, nil
}

// Find returns the service of that name.
func (s Services) Find(name string) (Service, error) {
	i := slices.IndexFunc(s.Services, func(x Service) bool { return x.Name == name })
	if i < 0 {
		return Service{}, fmt.Errorf("no service %q in services.json", name)
	}
	return s.Services[i], nil
}

func (s Services) validate() error {
	var errs []error
	seen := map[string]bool{}
	for _, svc := range s.Services {
		errs = append(errs, svc.validate())
		if seen[svc.Name] {
			errs = append(errs, fmt.Errorf("service %q is defined twice", svc.Name))
		}
		seen[svc.Name] = true
	}
	return errors.Join(errs...)
}

// The folders of a work directory.
const (
	runDir    = "run"
	logDir    = "log"
	ledgerDir = "ledger"
	seqDir    = "seq"
)

// instance is the file name of one service on one side, without an ending.
func instance(service string, side cluster.Side) string {
	return service + "@" + side.String()
}

// writeJSON replaces a file in one step, so that no reader sees half of it.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	return writeAtomic(path, append(data, '\n'))
}

func writeAtomic(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the work directory: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
