package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// quotasAtOnce is how many entities one request changes.
const quotasAtOnce = 500

// Quotas returns the client quotas of every entity, sorted (KIP-546; brokers
// from 2.6). The error is cluster.ErrNotAllowed without the right
// DescribeConfigs on the cluster.
func (c *Client) Quotas(ctx context.Context) ([]cluster.Quota, error) {
	var quotas []cluster.Quota
	err := c.retry(ctx, "reading the client quotas", func() error {
		b, err := c.controller()
		if err != nil {
			return err
		}
		quotas, err = quotasOn(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the client quotas of %s: %w", c.ep.Name(), err)
	}
	return quotas, nil
}

func quotasOn(b *sarama.Broker) ([]cluster.Quota, error) {
	resp, err := b.DescribeClientQuotas(&sarama.DescribeClientQuotasRequest{Version: 1})
	if err != nil {
		return nil, err
	}
	if err := accessRefused(resp.ErrorCode, deref(resp.ErrorMsg)); err != nil {
		return nil, err
	}
	quotas := make([]cluster.Quota, 0, len(resp.Entries))
	for _, e := range resp.Entries {
		quotas = append(quotas, cluster.Quota{Entity: entityOf(e.Entity), Values: e.Values})
	}
	slices.SortFunc(quotas, func(a, b cluster.Quota) int { return a.Entity.Compare(b.Entity) })
	return quotas, nil
}

func entityOf(parts []sarama.QuotaEntityComponent) cluster.QuotaEntity {
	var e cluster.QuotaEntity
	for _, p := range parts {
		name := cluster.EntityName(p.Name)
		if p.MatchType == sarama.QuotaMatchDefault {
			name = cluster.DefaultEntity
		}
		switch p.EntityType {
		case sarama.QuotaEntityUser:
			e.User = name
		case sarama.QuotaEntityClientID:
			e.ClientID = name
		case sarama.QuotaEntityIP:
			e.IP = name
		}
	}
	return e
}

func partsOf(e cluster.QuotaEntity) []sarama.QuotaEntityComponent {
	var parts []sarama.QuotaEntityComponent
	for _, p := range []struct {
		kind  sarama.QuotaEntityType
		field string
	}{{sarama.QuotaEntityUser, e.User}, {sarama.QuotaEntityClientID, e.ClientID}, {sarama.QuotaEntityIP, e.IP}} {
		switch name, isDefault := cluster.NameOf(p.field); {
		case p.field == "":
		case isDefault:
			parts = append(parts, sarama.QuotaEntityComponent{EntityType: p.kind, MatchType: sarama.QuotaMatchDefault})
		default:
			parts = append(parts, sarama.QuotaEntityComponent{EntityType: p.kind, MatchType: sarama.QuotaMatchExact, Name: name})
		}
	}
	return parts
}

// SetQuotas sets these keys of these entities and leaves all others, or with
// validateOnly asks the brokers whether they would. The map holds the entities
// that were refused, each with a *RefusedError. It returns when every broker
// that can be asked shows the values. The error is that of a whole request. It
// takes AlterConfigs on the cluster, and DescribeConfigs to see them.
func (c *Client) SetQuotas(ctx context.Context, quotas []cluster.Quota, validateOnly bool) (map[cluster.QuotaEntity]error, error) {
	refused := map[cluster.QuotaEntity]error{}
	for _, some := range chunks(quotas, quotasAtOnce) {
		what := fmt.Sprintf("setting the quotas of %d clients in %s", len(some), c.ep.Name())
		err := c.retry(ctx, what, func() error { return c.sendQuotas(some, validateOnly, refused) })
		if err != nil {
			return refused, fmt.Errorf("%s: %w", what, err)
		}
		if validateOnly {
			continue
		}
		set := slices.DeleteFunc(slices.Clone(some), func(q cluster.Quota) bool { return refused[q.Entity] != nil })
		if err := c.awaitQuotas(ctx, what, set); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

func (c *Client) sendQuotas(quotas []cluster.Quota, validateOnly bool, refused map[cluster.QuotaEntity]error) error {
	req := &sarama.AlterClientQuotasRequest{Version: 1, ValidateOnly: validateOnly}
	for _, q := range quotas {
		entry := sarama.AlterClientQuotasEntry{Entity: partsOf(q.Entity)}
		for _, k := range slices.Sorted(maps.Keys(q.Values)) {
			entry.Ops = append(entry.Ops, sarama.ClientQuotasOp{Key: k, Value: q.Values[k]})
		}
		req.Entries = append(req.Entries, entry)
	}
	b, err := c.controller()
	if err != nil {
		return err
	}
	resp, err := b.AlterClientQuotas(req)
	if err != nil {
		return err
	}
	if len(resp.Entries) != len(quotas) {
		return sarama.ErrIncompleteResponse
	}
	for _, r := range resp.Entries {
		delete(refused, entityOf(r.Entity)) // as said before something was tried again
		switch {
		case errors.Is(r.ErrorCode, sarama.ErrNoError):
		case retriable(r.ErrorCode):
			return r.ErrorCode
		default:
			e := entityOf(r.Entity)
			refused[e] = refusal(fmt.Sprintf("setting the quota of %s", e), r.ErrorCode, deref(r.ErrorMsg))
		}
	}
	return nil
}

func (c *Client) awaitQuotas(ctx context.Context, what string, set []cluster.Quota) error {
	if len(set) == 0 {
		return nil
	}
	return c.shown(ctx, what, func(b *sarama.Broker) (string, error) {
		quotas, err := quotasOn(b)
		if err != nil {
			return "", err
		}
		now := map[cluster.QuotaEntity]map[string]float64{}
		for _, q := range quotas {
			now[q.Entity] = q.Values
		}
		for _, q := range set {
			for k, v := range q.Values {
				if got, ok := now[q.Entity][k]; !ok || got != v {
					return fmt.Sprintf("%s of %s", k, q.Entity), nil
				}
			}
		}
		return "", nil
	})
}
