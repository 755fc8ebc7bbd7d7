package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/plan"
)

// scriptAsSuper opens a client of a cluster as its first user.
func scriptAsSuper(ts *testscript.TestScript, name string, do func(context.Context, *kafka.Client)) {
	c := scriptClusterOf(ts, name)
	described := &plan.Cluster{Name: name, Listener: plan.Listener{Bootstrap: c.Bootstrap()}}
	if len(c.users) > 0 {
		u := c.users[0]
		described.SASL = &plan.SASL{Mechanism: string(u.Mechanism), Username: u.Name, Password: plan.NewSecret(u.Password)}
	}
	ep, err := endpoint.Own(".", described)
	ts.Check(err)
	ctx := context.Background()
	client, err := kafka.Open(ctx, ep, "")
	ts.Check(err)
	do(ctx, client)
	ts.Check(client.Close())
}

// scriptRule makes an access rule, for every host:
//
//	rule CLUSTER allow|deny PRINCIPAL OPERATION RESOURCE NAME [prefixed]
func scriptRule(ts *testscript.TestScript, args []string) {
	a := scriptACL(args)
	scriptAsSuper(ts, args[0], func(ctx context.Context, c *kafka.Client) {
		refused, err := c.CreateACLs(ctx, []cluster.ACL{a})
		ts.Check(err)
		ts.Check(refused[a])
	})
}

// scriptUnrule takes one away: unrule CLUSTER allow|deny PRINCIPAL ...
func scriptUnrule(ts *testscript.TestScript, args []string) {
	a := scriptACL(args)
	scriptAsSuper(ts, args[0], func(ctx context.Context, c *kafka.Client) {
		refused, err := c.DeleteACLs(ctx, []cluster.ACL{a})
		ts.Check(err)
		ts.Check(refused[a])
	})
}

func scriptACL(args []string) cluster.ACL {
	a := cluster.ACL{Permission: args[1], Principal: args[2], Operation: args[3], Resource: args[4], Name: args[5], Pattern: cluster.Literal, Host: "*"}
	if len(args) > 6 {
		a.Pattern = args[6]
	}
	return a
}

// scriptHasRules compares the rules of a principal with what is wanted, each as
// "operation resource name", and one that denies as "deny operation resource name":
//
//	rules CLUSTER PRINCIPAL [RULE...]
func scriptHasRules(ts *testscript.TestScript, args []string) {
	scriptAsSuper(ts, args[0], func(ctx context.Context, c *kafka.Client) {
		all, err := c.ACLs(ctx)
		ts.Check(err)
		var got []string
		for _, a := range all {
			if a.Principal == args[1] {
				got = append(got, strings.TrimPrefix(a.Permission+" ", cluster.Allow+" ")+a.Operation+" "+a.Resource+" "+a.Name)
			}
		}
		if want := slices.Sorted(slices.Values(args[2:])); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			ts.Fatalf("%s has the rules %q on %s, want %q", args[1], got, args[0], want)
		}
	})
}

// scriptQuota sets a quota of a user: quota CLUSTER USER KEY=VALUE
func scriptQuota(ts *testscript.TestScript, args []string) {
	key, value, _ := strings.Cut(args[2], "=")
	n, err := strconv.ParseFloat(value, 64)
	ts.Check(err)
	scriptAsSuper(ts, args[0], func(ctx context.Context, c *kafka.Client) {
		e := cluster.QuotaEntity{User: args[1]}
		refused, err := c.SetQuotas(ctx, []cluster.Quota{{Entity: e, Values: map[string]float64{key: n}}}, false)
		ts.Check(err)
		ts.Check(refused[e])
	})
}
