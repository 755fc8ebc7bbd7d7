package kafka

import (
	"context"
	"errors"

	"kplan/internal/cluster"
)

// AccessWants says which parts of a cluster's access somebody wants to know.
type AccessWants struct {
	ACLs   bool
	Quotas bool
	Users  bool
	Own    bool // what kplan itself may do on the cluster
}

// Access asks for rules, quotas and users. What a cluster refuses to tell, or
// does not know, stays with its part; the error is that of an ended context.
func (c *Client) Access(ctx context.Context, wants AccessWants) (cluster.Access, error) {
	var a cluster.Access
	if wants.ACLs {
		a.ACLs, a.ACLsErr = c.ACLs(ctx)
	}
	if wants.Quotas {
		a.Quotas, a.QuotasErr = c.Quotas(ctx)
	}
	if wants.Users {
		a.Users, a.UsersErr = c.ScramUsers(ctx)
	}
	if wants.Own {
		rights, err := c.Rights(ctx, nil, nil)
		if err != nil && !errors.Is(err, cluster.ErrNotAllowed) && !errors.Is(err, cluster.ErrRightsUntold) {
			return a, err
		}
		a.Own = rights.Cluster
	}
	if ctx.Err() != nil {
		return a, context.Cause(ctx)
	}
	return a, nil
}
