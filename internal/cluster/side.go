package cluster

import "fmt"

// Side is one of the two clusters of a migration. Source and target never
// swap meaning (R2): a rollback is a path between sides, not a new pair of
// names.
type Side int

// The sides. The zero value is not a side.
const (
	NoSide Side = iota
	Source
	Target
)

func (s Side) String() string {
	switch s {
	case Source:
		return "source"
	case Target:
		return "target"
	default:
		return "no side"
	}
}

// ParseSide reads "source" or "target".
func ParseSide(text string) (Side, error) {
	switch text {
	case "source":
		return Source, nil
	case "target":
		return Target, nil
	}
	return NoSide, fmt.Errorf("%q is not a side: want source or target", text)
}

// MarshalText makes sides readable in JSON.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Side) UnmarshalText(text []byte) error {
	side, err := ParseSide(string(text))
	*s = side
	return err
}
