package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// aclsAtOnce is how many rules one request creates or deletes: a KRaft
// controller takes at most 10,000 changes for one request, and compares each rule
// that is to go with all that there are, which must end before the request does.
const aclsAtOnce = 200

// ACLs returns every access rule of the cluster as one of its brokers knows it,
// sorted. The error is cluster.ErrNoAuthorizer where there are none to have, and
// cluster.ErrNotAllowed without the right Describe on the cluster.
func (c *Client) ACLs(ctx context.Context) ([]cluster.ACL, error) {
	var rules []cluster.ACL
	err := c.retry(ctx, "reading the access rules", func() error {
		b, err := c.controller()
		if err != nil {
			return err
		}
		rules, err = aclsOn(b, anyRule())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the access rules of %s: %w", c.ep.Name(), err)
	}
	return rules, nil
}

// ACLsOn is ACLs as one broker knows them: rules reach the brokers one after the
// other (R8). A broker that does not answer is an error.
func (c *Client) ACLsOn(ctx context.Context, broker int32) ([]cluster.ACL, error) {
	var rules []cluster.ACL
	err := c.retry(ctx, fmt.Sprintf("reading the access rules that broker %d knows", broker), func() error {
		b, err := c.broker(broker)
		if err != nil {
			return err
		}
		rules, err = aclsOn(b, anyRule())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the access rules that broker %d of %s knows: %w", broker, c.ep.Name(), err)
	}
	return rules, nil
}

// BrokerIDs returns the brokers that the cluster has now, in order.
func (c *Client) BrokerIDs(ctx context.Context) ([]int32, error) {
	var ids []int32
	err := c.retry(ctx, "asking who the brokers are", func() error {
		meta, err := c.metadata([]string{})
		if err != nil {
			return err
		}
		ids = make([]int32, 0, len(meta.Brokers))
		for _, b := range meta.Brokers {
			ids = append(ids, b.ID())
		}
		slices.Sort(ids)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	return ids, nil
}

func anyRule() sarama.AclFilter {
	return sarama.AclFilter{
		ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny,
		Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
	}
}

// aclsOn asks one broker. The second version of the request knows prefixes
// (KIP-290), the third is flexible.
func aclsOn(b *sarama.Broker, filter sarama.AclFilter) ([]cluster.ACL, error) {
	resp, err := b.DescribeAcls(&sarama.DescribeAclsRequest{Version: 2, AclFilter: filter})
	if err != nil {
		return nil, err
	}
	if err := accessRefused(resp.Err, deref(resp.ErrMsg)); err != nil {
		return nil, err
	}
	var rules []cluster.ACL
	for _, r := range resp.ResourceAcls {
		for _, a := range r.Acls {
			rules = append(rules, cluster.ACL{
				Resource: word(aclResources(), r.ResourceType), Name: r.ResourceName, Pattern: word(aclPatterns(), r.ResourcePatternType),
				Principal: a.Principal, Host: a.Host, Operation: word(aclOperations(), a.Operation), Permission: word(aclPermissions(), a.PermissionType),
			})
		}
	}
	slices.SortFunc(rules, cluster.ACL.Compare)
	return rules, nil
}

// accessRefused is what a whole question was refused with, or nil.
func accessRefused(code sarama.KError, text string) error {
	switch code {
	case sarama.ErrNoError:
		return nil
	case sarama.ErrSecurityDisabled:
		return cluster.ErrNoAuthorizer
	case sarama.ErrClusterAuthorizationFailed, sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed:
		return fmt.Errorf("%w: %w", cluster.ErrNotAllowed, code)
	}
	if text != "" {
		return fmt.Errorf("%w: %s", code, text)
	}
	return code
}

// CreateACLs adds rules; one that is there already is fine. The map holds the
// rules that were refused, each with a *RefusedError. It returns when every
// broker that can be asked shows the others, which takes the right Describe on
// the cluster. The error is that of a whole request, or cluster.ErrNoAuthorizer;
// some of the rules may then be there.
func (c *Client) CreateACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	refused := map[cluster.ACL]error{}
	known := map[cluster.ACL]*sarama.AclCreation{}
	for _, a := range rules {
		n, err := numbersOf(a)
		if err != nil {
			refused[a] = err
			continue
		}
		known[a] = &sarama.AclCreation{
			Resource: sarama.Resource{ResourceType: n.resource, ResourceName: a.Name, ResourcePatternType: n.pattern},
			Acl:      sarama.Acl{Principal: a.Principal, Host: a.Host, Operation: n.operation, PermissionType: n.permission},
		}
	}
	return refused, changeACLs(ctx, c, "creating", known, refused, true, func(b *sarama.Broker, some []cluster.ACL) ([]answer, error) {
		req := &sarama.CreateAclsRequest{Version: 2}
		for _, a := range some {
			req.AclCreations = append(req.AclCreations, known[a])
		}
		resp, err := b.CreateAcls(req) // the error also tells of refused rules, which the answer names
		if resp == nil {
			return nil, err
		}
		answers := make([]answer, 0, len(some))
		for _, r := range resp.AclCreationResponses {
			answers = append(answers, answer{code: r.Err, text: deref(r.ErrMsg)})
		}
		return answers, nil
	})
}

// DeleteACLs takes exactly these rules away and no others; one that is not there
// is fine. The map and the error are as of CreateACLs, and so is the wait: it
// returns when no broker that can be asked shows them.
func (c *Client) DeleteACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	refused := map[cluster.ACL]error{}
	known := map[cluster.ACL]*sarama.AclFilter{}
	for _, a := range rules {
		n, err := numbersOf(a)
		if err != nil {
			refused[a] = err
			continue
		}
		known[a] = filterOf(a, n)
	}
	return refused, changeACLs(ctx, c, "deleting", known, refused, false, func(b *sarama.Broker, some []cluster.ACL) ([]answer, error) {
		req := &sarama.DeleteAclsRequest{Version: 2}
		for _, a := range some {
			req.Filters = append(req.Filters, known[a])
		}
		resp, err := b.DeleteAcls(req)
		if err != nil {
			return nil, err
		}
		answers := make([]answer, 0, len(some))
		for _, r := range resp.FilterResponses {
			said := answer{code: r.Err, text: deref(r.ErrMsg)}
			for _, m := range r.MatchingAcls {
				if errors.Is(said.code, sarama.ErrNoError) {
					said = answer{code: m.Err, text: deref(m.ErrMsg)}
				}
			}
			answers = append(answers, said)
		}
		return answers, nil
	})
}

// filterOf matches one rule only: a pattern of a filter, other than "match", is
// taken as it stands.
func filterOf(a cluster.ACL, n numbers) *sarama.AclFilter {
	return &sarama.AclFilter{
		ResourceType: n.resource, ResourceName: &a.Name, ResourcePatternTypeFilter: n.pattern,
		Principal: &a.Principal, Host: &a.Host, Operation: n.operation, PermissionType: n.permission,
	}
}
