package kafka

import (
	"fmt"
	"math"
	"slices"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// The words of access rules, each at the place of its number in the protocol
// (AclOperation, ResourceType, PatternType and AclPermissionType of Apache
// Kafka 4.3). The empty ones are filters and no rules.
func aclOperations() []string {
	return []string{
		"", "", "all", "read", "write", "create", "delete", "alter", "describe", "cluster_action",
		"describe_configs", "alter_configs", "idempotent_write", "create_tokens", "describe_tokens", "two_phase_commit",
	}
}

func aclResources() []string {
	return []string{"", "", "topic", "group", "cluster", "transactional_id", "delegation_token", "user"}
}

func aclPatterns() []string { return []string{"", "", "", cluster.Literal, cluster.Prefixed} }

func aclPermissions() []string { return []string{"", "", cluster.Deny, cluster.Allow} }

// word is that of a number; one that kplan does not know keeps its number.
func word[N ~int](words []string, n N) string {
	if n >= 0 && int(n) < len(words) && words[n] != "" {
		return words[n]
	}
	return fmt.Sprintf("unknown_%d", n)
}

func number(words []string, kind, w string) (int, error) {
	if i := slices.Index(words, w); i >= 0 && w != "" {
		return i, nil
	}
	return 0, fmt.Errorf("%s %q of an access rule is none that kplan knows", kind, w)
}

// numbers are a rule in the protocol's numbers.
type numbers struct {
	resource   sarama.AclResourceType
	pattern    sarama.AclResourcePatternType
	operation  sarama.AclOperation
	permission sarama.AclPermissionType
}

func numbersOf(a cluster.ACL) (numbers, error) {
	resource, err := number(aclResources(), "resource", a.Resource)
	if err != nil {
		return numbers{}, err
	}
	pattern, err := number(aclPatterns(), "pattern", a.Pattern)
	if err != nil {
		return numbers{}, err
	}
	operation, err := number(aclOperations(), "operation", a.Operation)
	if err != nil {
		return numbers{}, err
	}
	permission, err := number(aclPermissions(), "permission", a.Permission)
	if err != nil {
		return numbers{}, err
	}
	return numbers{
		sarama.AclResourceType(resource), sarama.AclResourcePatternType(pattern), sarama.AclOperation(operation), sarama.AclPermissionType(permission),
	}, nil
}

// operationsIn are the operations of a bit field of KIP-430, and whether the
// broker filled it in.
func operationsIn(field int32) (map[string]bool, bool) {
	if field == math.MinInt32 {
		return nil, false
	}
	operations := map[string]bool{}
	for i, w := range aclOperations() {
		if w != "" && field&(1<<i) != 0 {
			operations[w] = true
		}
	}
	return operations, true
}
