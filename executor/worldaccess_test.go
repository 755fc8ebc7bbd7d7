package executor_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"kplan/internal/cluster"
)

// clientbook is the quotas and the SCRAM users of one cluster.
type clientbook struct {
	quotas    []cluster.Quota
	refuses   map[cluster.QuotaEntity]error
	users     []cluster.ScramUser
	passwords map[string]string
}

func (b *clientbook) quota(e cluster.QuotaEntity) map[string]float64 {
	for _, q := range b.quotas {
		if q.Entity == e {
			return q.Values
		}
	}
	return nil
}

func (v *view) Quotas(ctx context.Context) ([]cluster.Quota, error) {
	done, err := v.call(ctx, "quotas", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	var all []cluster.Quota
	for _, q := range v.logs().clients.quotas {
		all = append(all, cluster.Quota{Entity: q.Entity, Values: maps.Clone(q.Values)})
	}
	return all, nil
}

func (v *view) SetQuotas(ctx context.Context, quotas []cluster.Quota, _ bool) (map[cluster.QuotaEntity]error, error) {
	done, err := v.call(ctx, "quota", fmt.Sprint(quotas), true)
	if err != nil {
		return nil, err
	}
	defer done()
	book := &v.logs().clients
	for _, q := range quotas {
		if book.refuses[q.Entity] != nil {
			continue
		}
		if values := book.quota(q.Entity); values != nil {
			maps.Copy(values, q.Values)
			continue
		}
		book.quotas = append(book.quotas, q)
	}
	return book.refuses, nil
}

func (v *view) ScramUsers(ctx context.Context) ([]cluster.ScramUser, error) {
	done, err := v.call(ctx, "users", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.Clone(v.logs().clients.users), nil
}

func (v *view) CreateScramUser(ctx context.Context, user cluster.ScramUser, password string) error {
	done, err := v.call(ctx, "user", user.Name, true)
	if err != nil {
		return err
	}
	defer done()
	book := &v.logs().clients
	if slices.ContainsFunc(book.users, func(u cluster.ScramUser) bool { return u.Name == user.Name && u.Mechanism == user.Mechanism }) {
		return cluster.ErrUserExists
	}
	book.users = append(book.users, user)
	if book.passwords == nil {
		book.passwords = map[string]string{}
	}
	book.passwords[user.Name] = password
	return nil
}
