package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// producerName is where the shelf has the mirror's producer id.
const producerName = "producer"

// identity is its form there.
type identity struct {
	ID      int64  `json:"id"`
	Cluster string `json:"cluster_id"` // of the target
}

// IdentityError says why the mirror must not write to a target.
type IdentityError struct{ Why string }

func (e *IdentityError) Error() string { return "the mirror cannot write: " + e.Why }

// Issuer gives out producer ids; *wire.Client is one.
type Issuer interface {
	ProducerID(ctx context.Context) (int64, error)
}

// Identify returns what the mirror writes as to a target: the producer id that
// the shelf has, or a new one, which is kept before anybody uses it. A new one is
// made under the migration's lock: lock takes it and returns how to let it go;
// nil: the caller has it. begun says that the journal knows of a copy. An
// *IdentityError says that the id there belongs to another cluster, or that it is
// lost.
func Identify(ctx context.Context, shelf Shelf, target Issuer, clusterID string, begun bool, lock func(context.Context) (release func() error, err error)) (p Producer, err error) {
	p, known, err := identified(ctx, shelf, clusterID)
	if err != nil || known {
		return p, err
	}
	if lock != nil {
		release, lockErr := lock(ctx)
		if lockErr != nil {
			return p, fmt.Errorf("taking the lock to note the mirror's producer id: %w", lockErr)
		}
		defer func() { err = errors.Join(err, release()) }()
		if p, known, err = identified(ctx, shelf, clusterID); err != nil || known {
			return p, err
		}
	}
	beginnings, err := shelf.All(ctx, beginPrefix)
	if err != nil {
		return p, fmt.Errorf("reading the mirror's state: %w", err)
	}
	if begun || len(beginnings) > 0 {
		return p, &IdentityError{Why: "the copy has begun, and the producer id that it writes with is not in the mirror's state any more. With another id records would be repeated: restore the state from a copy (what lies beside the journal as well), or copy into new topics"}
	}
	id, err := target.ProducerID(ctx)
	if err != nil {
		return p, err
	}
	text, err := json.Marshal(identity{ID: id, Cluster: clusterID})
	if err != nil {
		return p, fmt.Errorf("encoding the mirror's producer id: %w", err)
	}
	if err := shelf.Put(ctx, map[string][]byte{producerName: text}); err != nil {
		return p, fmt.Errorf("noting the mirror's producer id: %w", err)
	}
	return Producer{ID: id}, nil
}

func identified(ctx context.Context, shelf Shelf, clusterID string) (Producer, bool, error) {
	values, err := shelf.All(ctx, producerName)
	if err != nil {
		return Producer{}, false, fmt.Errorf("reading the mirror's state: %w", err)
	}
	text, ok := values[producerName]
	if !ok {
		return Producer{}, false, nil
	}
	var known identity
	if err := json.Unmarshal(text, &known); err != nil {
		return Producer{}, false, fmt.Errorf("reading the mirror's producer id: %w", err)
	}
	if known.Cluster != clusterID {
		return Producer{}, false, &IdentityError{Why: fmt.Sprintf("its state belongs to target cluster %s, and the plan leads to %s. Correct the target's address; if the target was rebuilt on purpose, move the state away and begin anew", known.Cluster, clusterID)}
	}
	return Producer{ID: known.ID}, true, nil
}
