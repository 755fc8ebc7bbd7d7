package checks

import (
	"fmt"

	"kplan/internal/cluster"
)

// The request keys by which releases are told apart.
const (
	keyProduce         = 0
	keyFetch           = 1
	keyListGroups      = 16
	keyDescribeLogDirs = 35
	keyUpdateFeatures  = 57
	keyDescribeCluster = 60
	keyListTransaction = 66
)

// release is how brokers are called that are at least of it.
type release struct{ major, minor int }

func (r release) String() string {
	if r == (release{}) {
		return "before 2.7"
	}
	return fmt.Sprintf("%d.%d or newer", r.major, r.minor)
}

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// releaseOf tells the release of a broker, or one before it: brokers name no
// version, but each release added requests, or versions of them.
func releaseOf(n cluster.Node) release {
	for _, sign := range []struct {
		key, version int16
		since        release
	}{
		{keyFetch, 18, release{4, 1}}, {keyProduce, 12, release{4, 0}}, {keyFetch, 17, release{3, 9}}, {keyListGroups, 5, release{3, 8}},
		{keyFetch, 16, release{3, 7}}, {keyFetch, 15, release{3, 5}}, {keyDescribeLogDirs, 4, release{3, 3}}, {keyDescribeLogDirs, 3, release{3, 2}},
		{keyFetch, 13, release{3, 1}}, {keyListTransaction, 0, release{3, 0}}, {keyDescribeCluster, 0, release{2, 8}}, {keyUpdateFeatures, 0, release{2, 7}},
	} {
		if v, spoken := n.Requests[sign.key]; spoken && v.Max >= sign.version {
			return sign.since
		}
	}
	return release{}
}

// finalized is the release whose features the cluster has been raised to; zero
// where it does not tell (ZooKeeper). The levels are those of metadata.version
// (KIP-778).
func finalized(n cluster.Node) release {
	level := n.Features["metadata.version"]
	found := release{}
	for _, step := range []struct {
		level int16
		of    release
	}{
		{1, release{3, 0}}, {2, release{3, 1}}, {3, release{3, 2}}, {4, release{3, 3}}, {8, release{3, 4}}, {9, release{3, 5}},
		{12, release{3, 6}}, {15, release{3, 7}}, {20, release{3, 8}}, {21, release{3, 9}}, {22, release{4, 0}}, {26, release{4, 1}},
		{28, release{4, 2}}, {30, release{4, 3}}, {31, release{4, 4}},
	} {
		if level >= step.level {
			found = step.of
		}
	}
	return found
}

// quorum is how the broker's cluster keeps its metadata.
func quorum(n cluster.Node) string {
	switch {
	case n.Configs["process.roles"].Value != "" || n.Features["metadata.version"] > 0:
		return "KRaft"
	case n.Configs["zookeeper.connect"].Value != "":
		return "ZooKeeper"
	}
	return ""
}
