package state

import (
	"encoding/json"
	"errors"
	"fmt"
)

// upgrades has one function per version that is not the last: it makes a record
// of that version one of the next. A record has been decoded by then, so a
// field that changes its type needs a new name.
func upgrades() map[int]func(*Record) {
	return map[int]func(*Record){
		1: func(r *Record) { // had no epochs, and answers were written when they had taken effect
			if r.Answer != nil && r.Answer.Standing == "" {
				r.Answer.Standing = Effective
			}
		},
	}
}

// maxEpoch is one that no number of applies reaches: what is beyond is damage,
// and the next epoch would be below it.
const maxEpoch = 1 << 40

// newerError says that a record was written by a later kplan.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("the state has format version %d and this kplan knows %d", e.version, FormatVersion)
}

// decodeRecord reads a record of any version up to this one. Only the version
// is looked at in a later one.
func decodeRecord(data []byte) (Record, error) {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Record{}, err
	}
	if head.Version > FormatVersion {
		return Record{}, &newerError{head.Version}
	}
	if head.Version < 1 {
		return Record{}, errors.New("it has no format version")
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, err
	}
	if r.Epoch < 0 || r.Epoch > maxEpoch {
		return Record{}, fmt.Errorf("it has the epoch %d, which no apply has had", r.Epoch)
	}
	for ; r.Version < FormatVersion; r.Version++ {
		upgrades()[r.Version](&r)
	}
	return r, nil
}
