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

// changeACLs sends rules, many to a request, notes the refused ones, and waits
// until the brokers show the others, or no longer show them. The same rules
// again do no harm, so what got no answer is sent again.
func changeACLs[T any](
	ctx context.Context, c *Client, doing string, known map[cluster.ACL]T, refused map[cluster.ACL]error, there bool,
	send func(b *sarama.Broker, some []cluster.ACL) ([]answer, error),
) error {
	all := slices.SortedFunc(maps.Keys(known), cluster.ACL.Compare)
	for _, some := range chunks(all, aclsAtOnce) {
		what := fmt.Sprintf("%s %d access rules in %s", doing, len(some), c.ep.Name())
		var changed []cluster.ACL
		err := c.retry(ctx, what, func() error {
			b, err := c.controller()
			if err != nil {
				return err
			}
			answers, err := send(b, some)
			if err != nil {
				return err
			}
			if len(answers) != len(some) {
				return sarama.ErrIncompleteResponse
			}
			changed = changed[:0]
			for i, a := range answers {
				delete(refused, some[i]) // as said before something was tried again
				switch {
				case errors.Is(a.code, sarama.ErrNoError):
					changed = append(changed, some[i])
				case errors.Is(a.code, sarama.ErrSecurityDisabled):
					return cluster.ErrNoAuthorizer
				case retriable(a.code):
					return a.code
				default:
					refused[some[i]] = refusal(fmt.Sprintf("%s the access rule %s", doing, some[i]), a.code, a.text)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := c.awaitACLs(ctx, what, changed, there); err != nil {
			return err
		}
	}
	return nil
}

// awaitACLs waits until every broker that can be asked shows the rules, or none
// of them does.
func (c *Client) awaitACLs(ctx context.Context, what string, rules []cluster.ACL, there bool) error {
	if len(rules) == 0 {
		return nil
	}
	filter := common(rules)
	return c.shown(ctx, what, func(b *sarama.Broker) (string, error) {
		now, err := aclsOn(b, filter)
		if err != nil {
			return "", err
		}
		for _, a := range rules {
			if _, shows := slices.BinarySearchFunc(now, a, cluster.ACL.Compare); shows != there {
				return "what it was told about: " + a.String(), nil
			}
		}
		return "", nil
	})
}

// common is the narrowest filter that lets all the rules through: a cluster may
// have thousands of others.
func common(rules []cluster.ACL) sarama.AclFilter {
	filter := anyRule()
	first := rules[0]
	same := func(field func(cluster.ACL) string) bool {
		return !slices.ContainsFunc(rules, func(a cluster.ACL) bool { return field(a) != field(first) })
	}
	n, err := numbersOf(first)
	if err == nil && same(func(a cluster.ACL) string { return a.Resource }) {
		filter.ResourceType = n.resource
		if same(func(a cluster.ACL) string { return a.Pattern + a.Name }) {
			filter.ResourceName, filter.ResourcePatternTypeFilter = &first.Name, n.pattern
		}
	}
	if same(func(a cluster.ACL) string { return a.Principal }) {
		filter.Principal = &first.Principal
	}
	return filter
}
