package main

import (
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/rogpeppe/go-internal/testscript"

	"kplan/internal/embedded"
	"kplan/internal/embedded/certs"
)

// scriptCluster is an embedded cluster with a client that may do everything.
type scriptCluster struct {
	*embedded.Cluster
	client sarama.Client
	admin  sarama.ClusterAdmin
	users  []embedded.User
}

// scriptNewCluster starts an embedded cluster and tells the plan its addresses
// as variable NAME, the script as $NAME and its id as $NAME_id:
//
//	cluster NAME [brokers=N] [id=ID] [tls] [mtls] [user=MECHANISM:NAME:PASSWORD] [acls]
//	        [advertise=BROKER:HOST] [config=KEY:VALUE] [topic=NAME:PARTITIONS]
//
// With tls it writes NAME-ca.pem, with mtls also NAME-client.pem and
// NAME-client.key. With users or TLS the other commands cannot reach it.
func scriptNewCluster(ts *testscript.TestScript, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: cluster NAME [OPTION...]")
	}
	name := args[0]
	var o embedded.Options
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		parts := strings.Split(value, ":")
		var err error
		switch key {
		case "brokers":
			o.Brokers, err = strconv.Atoi(value)
		case "id":
			o.ClusterID = value
		case "tls":
			o.TLS = true
		case "mtls":
			o.TLS, o.ClientAuth = true, true
		case "user":
			o.Users = append(o.Users, embedded.User{Mechanism: embedded.Mechanism(parts[0]), Name: parts[1], Password: parts[2], Super: true})
		case "acls":
			o.ACLs = true
		case "topic":
			var n int
			n, err = strconv.Atoi(parts[1])
			o.Topics = map[string]int32{parts[0]: int32(n)}
		case "config":
			if o.Configs == nil {
				o.Configs = map[string]string{}
			}
			o.Configs[parts[0]] = parts[1]
		case "advertise":
			var node int
			node, err = strconv.Atoi(parts[0])
			o.Advertise = map[int]string{node: parts[1]}
		default:
			ts.Fatalf("cluster knows no option %s", key)
		}
		ts.Check(err)
	}
	c, err := embedded.Start(o)
	ts.Check(err)
	made := &scriptCluster{Cluster: c, users: o.Users}
	scriptWorldOf(ts).clusters[name] = made
	scriptTell(ts, name, c.Bootstrap())
	ts.Setenv(name+"_id", c.ClusterID())
	if o.TLS {
		scriptCertificates(ts, name, c, o.ClientAuth)
	}
	if o.TLS || len(o.Users) > 0 || o.Advertise != nil {
		return
	}
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	conf.Producer.Return.Successes = true
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	made.client, err = sarama.NewClient(c.Bootstrap(), conf)
	ts.Check(err)
	made.admin, err = sarama.NewClusterAdminFromClient(made.client)
	ts.Check(err)
}

// scriptTell sets the addresses of a cluster.
func scriptTell(ts *testscript.TestScript, name string, addresses []string) {
	ts.Setenv(name, strings.Join(addresses, ","))
	_, port, _ := strings.Cut(addresses[0], ":")
	ts.Setenv(name+"_port", `"localhost:`+port+`"`)
	ts.Setenv("KPLAN_VAR_"+name, `["`+strings.Join(addresses, `", "`)+`"]`)
}

func scriptCertificates(ts *testscript.TestScript, name string, c *embedded.Cluster, client bool) {
	ca, err := c.Authority()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+"-ca.pem"), ca.PEM(), 0o644))
	if !client {
		return
	}
	pair, err := ca.Issue(certs.Request{CommonName: "kplan", Client: true})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+"-client.pem"), pair.CertPEM, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(name+"-client.key"), pair.KeyPEM, 0o600))
}

// scriptDeadPort sets the addresses of a cluster to a port where nobody
// listens: deadport NAME
func scriptDeadPort(ts *testscript.TestScript, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := l.Addr().String()
	ts.Check(l.Close())
	scriptTell(ts, args[0], []string{address})
}

// scriptKillBroker makes a broker vanish: killbroker CLUSTER NUMBER
func scriptKillBroker(ts *testscript.TestScript, args []string) {
	node, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(scriptClusterOf(ts, args[0]).Kill(node))
}

func scriptClusterOf(ts *testscript.TestScript, name string) *scriptCluster {
	c := scriptWorldOf(ts).clusters[name]
	if c == nil {
		ts.Fatalf("there is no cluster %s", name)
	}
	return c
}

// scriptConfigs reads KEY=VALUE.
func scriptConfigs(args []string) map[string]*string {
	configs := map[string]*string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		configs[key] = &value
	}
	return configs
}

// scriptTopic creates a topic: topic CLUSTER NAME PARTITIONS [KEY=VALUE...]
func scriptTopic(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	detail := &sarama.TopicDetail{NumPartitions: int32(n), ReplicationFactor: 1, ConfigEntries: scriptConfigs(args[3:])}
	ts.Check(scriptClusterOf(ts, args[0]).admin.CreateTopic(args[1], detail, false))
}

// scriptUntopic deletes a topic: untopic CLUSTER TOPIC
func scriptUntopic(ts *testscript.TestScript, args []string) {
	ts.Check(scriptClusterOf(ts, args[0]).admin.DeleteTopic(args[1]))
}

// scriptGrow adds partitions: grow CLUSTER TOPIC TOTAL
func scriptGrow(ts *testscript.TestScript, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(scriptClusterOf(ts, args[0]).admin.CreatePartitions(args[1], int32(n), nil, false))
}

// scriptAlter sets configs of a topic: alter CLUSTER TOPIC KEY=VALUE...
func scriptAlter(ts *testscript.TestScript, args []string) {
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for key, value := range scriptConfigs(args[2:]) {
		entries[key] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value}
	}
	ts.Check(scriptClusterOf(ts, args[0]).admin.IncrementalAlterConfig(sarama.TopicResource, args[1], entries, false))
}

// scriptRecords waits until a partition holds so many records:
//
//	records CLUSTER TOPIC PARTITION COUNT
func scriptRecords(ts *testscript.TestScript, args []string) {
	number, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	want, err := strconv.ParseInt(args[3], 10, 64)
	ts.Check(err)
	c := scriptClusterOf(ts, args[0])
	var end int64
	scriptUntil(ts, func() bool {
		end, err = c.client.GetOffset(args[1], int32(number), sarama.OffsetNewest)
		ts.Check(err)
		return end >= want
	}, func() string { return "the log ends at " + strconv.FormatInt(end, 10) })
	if end != want {
		ts.Fatalf("%s[%d] of %s ends at %d, want %d", args[1], number, args[0], end, want)
	}
}

// scriptTopics compares the topics of a cluster, by name, with what is wanted:
//
//	topics CLUSTER [NAME:PARTITIONS...]
func scriptTopics(ts *testscript.TestScript, args []string) {
	found, err := scriptClusterOf(ts, args[0]).admin.ListTopics()
	ts.Check(err)
	got := []string{}
	for name, detail := range found {
		if !strings.HasPrefix(name, "__") {
			got = append(got, fmt.Sprintf("%s:%d", name, detail.NumPartitions))
		}
	}
	sort.Strings(got)
	if strings.Join(got, " ") != strings.Join(args[1:], " ") {
		ts.Fatalf("cluster %s has the topics %v, want %v", args[0], got, args[1:])
	}
}
