package scratch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafkatest"
	"kplan/internal/scratch"
	"kplan/plan"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { os.Exit(brokers.Main(m)) }

// topics lists the scratch topics that a cluster still has in the end.
func topics(t *testing.T, bootstrap []string) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// A broker hears of a deletion after the controller has answered.
	for ends := time.Now().Add(time.Minute); ; {
		names := topicsNow(t, client)
		if len(names) == 0 || time.Now().After(ends) {
			return names
		}
	}
}

func topicsNow(t *testing.T, client *kgo.Client) []string {
	t.Helper()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, topic := range resp.Topics {
		if strings.HasPrefix(*topic.Topic, "_kplan.conformance.") || strings.HasPrefix(*topic.Topic, "_kplan.load.") {
			names = append(names, *topic.Topic)
		}
	}
	return names
}

func outcomes(c cluster.Conformance) map[cluster.Technique]cluster.Outcome {
	all := map[cluster.Technique]cluster.Outcome{}
	for _, trial := range c.Trials {
		all[trial.Technique] = trial.Outcome
	}
	return all
}

// expect is every technique with one outcome, but for the exceptions.
func expect(o cluster.Outcome, but map[cluster.Technique]cluster.Outcome) map[cluster.Technique]cluster.Outcome {
	all := map[cluster.Technique]cluster.Outcome{}
	for _, t := range cluster.Techniques() {
		all[t] = o
	}
	for t, o := range but {
		all[t] = o
	}
	return all
}

// Apache Kafka bears every technique, by each listener; without the rights those
// that need them are told from those that do not work; and the topic goes again.
func TestConformanceOfRealBrokers(t *testing.T) {
	for _, v := range []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			c := brokers.Shared(t, kafkatest.Guarded(v, 1))
			conf := &tls.Config{RootCAs: c.Authority().Pool(), MinVersion: tls.VersionTLS12}
			as := func(mechanism, user, password string) endpoint.Endpoint {
				return endpoint.Endpoint{Cluster: "new", Bootstrap: c.Bootstrap(kafkatest.SASLTLS), TLS: conf, SASL: &plan.SASL{Mechanism: mechanism, Username: user, Password: plan.NewSecret(password)}}
			}
			for name, ep := range map[string]endpoint.Endpoint{
				"plaintext": {Cluster: "new", Bootstrap: c.Bootstrap(kafkatest.Plaintext)},
				"SCRAM":     as("SCRAM-SHA-512", kafkatest.SuperUser, kafkatest.Password), "PLAIN": as("PLAIN", kafkatest.SuperUser, kafkatest.Password), "SCRAM 256": as("SCRAM-SHA-256", kafkatest.SuperUser, kafkatest.Password),
			} {
				got, err := scratch.Conformance(t.Context(), ep)
				if err != nil || got.Left != "" || !strings.HasPrefix(got.Topic, "_kplan.conformance.") {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
				if d := cmp.Diff(expect(cluster.Holds, nil), outcomes(got)); d != "" {
					t.Errorf("%s (-want +got):\n%s%+v", name, d, got.Trials)
				}
				t.Logf("%s: %+v", name, got.Trials)
			}
			got, err := scratch.Conformance(t.Context(), as("SCRAM-SHA-512", "guest", kafkatest.Password))
			if err != nil || got.Topic != "" {
				t.Errorf("%+v, %v", got, err)
			}
			if d := cmp.Diff(expect(cluster.Untried, map[cluster.Technique]cluster.Outcome{cluster.TrySequence: cluster.Forbidden}), outcomes(got)); d != "" {
				t.Errorf("without rights (-want +got):\n%s", d)
			}
			grant(t, c, "guest")
			got, err = scratch.Conformance(t.Context(), as("SCRAM-SHA-512", "guest", kafkatest.Password))
			if d := cmp.Diff(expect(cluster.Holds, map[cluster.Technique]cluster.Outcome{cluster.TryMarkers: cluster.Forbidden}), outcomes(got)); d != "" || err != nil || got.Left != "" {
				t.Errorf("with rights on the topic alone (-want +got):\n%s%+v, %v", d, got, err)
			}
			if left := topics(t, c.Bootstrap(kafkatest.Plaintext)); len(left) > 0 {
				t.Errorf("topics are left: %v", left)
			}
		})
	}
}

// grant allows everything on the scratch topics, and nothing on the cluster but
// what the producer id needs there.
func grant(t *testing.T, c *kafkatest.Cluster, user string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range []struct {
		resource  kmsg.ACLResourceType
		name      string
		pattern   kmsg.ACLResourcePatternType
		operation kmsg.ACLOperation
	}{
		{kmsg.ACLResourceTypeTopic, "_kplan.conformance.", kmsg.ACLResourcePatternTypePrefixed, kmsg.ACLOperationAll},
		{kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLOperationIdempotentWrite},
	} {
		one := kmsg.NewCreateACLsRequestCreation()
		one.ResourceType, one.ResourceName, one.ResourcePatternType, one.Operation = a.resource, a.name, a.pattern, a.operation
		one.Principal, one.Host, one.PermissionType = "User:"+user, "*", kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, one)
	}
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resp.Results {
		if r.ErrorCode != 0 {
			t.Fatalf("granting: %v", r)
		}
	}
	t.Cleanup(func() { withdraw(t, c, user) })
}

// A cluster that does not bear a technique is said not to: the embedded broker
// wants a fresh producer id to begin with 0. The others are tried all the same.
func TestConformanceOfTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	c, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	got, err := scratch.Conformance(t.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: c.Bootstrap()})
	if err != nil || got.Left != "" || len(topics(t, c.Bootstrap())) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if d := cmp.Diff(expect(cluster.Holds, map[cluster.Technique]cluster.Outcome{cluster.TrySequence: cluster.Broken}), outcomes(got)); d != "" {
		t.Errorf("(-want +got):\n%s%+v", d, got.Trials)
	}
}

// Nobody answers, or somebody interrupts: every technique is untried.
func TestConformanceOfNobody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	got, err := scratch.Conformance(ctx, endpoint.Endpoint{Cluster: "old", Bootstrap: []string{"127.0.0.1:1"}})
	if d := cmp.Diff(expect(cluster.Untried, nil), outcomes(got)); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// withdraw deletes a user's rules: the cluster is shared.
func withdraw(t *testing.T, c *kafkatest.Cluster, user string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	rules := kmsg.NewDeleteACLsRequestFilter()
	principal := "User:" + user
	rules.ResourceType, rules.ResourcePatternType, rules.Principal = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, &principal
	rules.Operation, rules.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	req := kmsg.NewPtrDeleteACLsRequest()
	req.Filters = append(req.Filters, rules)
	if _, err := req.RequestWith(context.Background(), client); err != nil {
		t.Error(err)
	}
}
