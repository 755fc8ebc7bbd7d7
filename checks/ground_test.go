package checks_test

import (
	"fmt"
	"time"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

const gib = 1 << 30

// ground is a migration of one topic of 10 GiB with two partitions, to three
// brokers in three racks with 100 GiB free each: everything passes.
func ground() checks.Ground {
	topic := func(replicas ...int32) cluster.Topic {
		return cluster.Topic{
			Name: "t", Partitions: []cluster.Partition{{ID: 0, Replicas: replicas}, {ID: 1, Replicas: replicas}},
			Configs: map[string]cluster.Config{
				"max.message.bytes": {Value: "1048588", Source: cluster.SourceDefault},
				"retention.ms":      {Value: fmt.Sprint(7 * 24 * time.Hour.Milliseconds()), Source: cluster.SourceDefault},
				"cleanup.policy":    {Value: "delete", Source: cluster.SourceDefault},
			},
		}
	}
	g := checks.Ground{
		Migration: &plan.Migration{
			Target: &plan.Cluster{Name: "new", Capacity: &plan.Capacity{Racks: 3}},
			Scheme: plan.Scheme{Kind: plan.ProductionLater, DrainTimeout: 2 * time.Hour},
		},
		Source: cluster.Snapshot{Topics: map[string]cluster.Topic{"t": topic(0, 1, 2)}},
		Target: cluster.Snapshot{Topics: map[string]cluster.Topic{"t": topic(0, 1, 2)}, Replicas: map[int32]int{0: 2, 1: 2, 2: 2}},
		Wants:  []diff.Wanted{{Name: "t", Partitions: 2, ReplicationFactor: 3}},
	}
	for id := range int32(3) {
		g.Source.Brokers = append(g.Source.Brokers, cluster.Broker{ID: id})
		g.Target.Brokers = append(g.Target.Brokers, cluster.Broker{ID: id, Rack: "abc"[id : id+1]})
		g.SourceNodes = append(g.SourceNodes, cluster.Node{ID: id, Configs: map[string]cluster.Config{
			"offsets.retention.minutes": {Value: "10080"}, "group.min.session.timeout.ms": {Value: "6000"}, "zookeeper.connect": {Value: "z:2181"},
		}, Requests: map[int16]cluster.Versions{1: {Max: 12}, 60: {}}, Disk: cluster.Disk{
			Used: 10 * gib, Usable: -1, Logs: map[cluster.TopicPartition]int64{tp(0): 4 * gib, tp(1): 6 * gib},
		}})
		g.TargetNodes = append(g.TargetNodes, cluster.Node{ID: id, Features: map[string]int16{"metadata.version": 30}, Requests: map[int16]cluster.Versions{1: {Min: 4, Max: 18}}, Disk: cluster.Disk{Usable: 100 * gib}, Configs: map[string]cluster.Config{
			"message.max.bytes": {Value: "1048588"}, "offsets.retention.minutes": {Value: "10080"}, "socket.request.max.bytes": {Value: "104857600"},
		}})
	}
	return g
}

// listening is a listener with TLS and SASL and two brokers where everything
// passes.
func listening(now time.Time) cluster.Listening {
	l := cluster.Listening{Cluster: "old", Listener: "tls", TLS: true, Mechanism: "SCRAM-SHA-512", ClusterID: "id-1"}
	for id := range int32(2) {
		l.Contacts = append(l.Contacts, cluster.Contact{Broker: id, Address: fmt.Sprintf("b%d.example:9095", id), Certificates: []cluster.Certificate{
			{Subject: "CN=broker", Issuer: "CN=authority", Names: []string{"b0.example", "b1.example"}, NotAfter: now.Add(90 * 24 * time.Hour)},
			{Subject: "CN=authority", Issuer: "CN=authority", NotAfter: now.Add(300 * 24 * time.Hour)},
		}})
	}
	return l
}
