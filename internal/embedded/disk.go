package embedded

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// diskFree is what kfake says of the room in its one log directory.
const diskFree = 32 << 30

// tellDisk makes brokers without topics list their log directory, as Kafka does
// and kfake does not: a client could not tell an empty broker from one that
// refuses to say.
func tellDisk(fake *kfake.Cluster, topics bool) {
	var any atomic.Bool
	any.Store(topics)
	create, describe := kmsg.CreateTopics, kmsg.DescribeLogDirs
	fake.ControlKey(int16(create), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if r, ok := req.(*kmsg.CreateTopicsRequest); ok && !r.ValidateOnly {
			any.Store(true)
		}
		return nil, nil, false
	})
	fake.ControlKey(int16(describe), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r, ok := req.(*kmsg.DescribeLogDirsRequest)
		if !ok || any.Load() {
			return nil, nil, false
		}
		resp, ok := r.ResponseKind().(*kmsg.DescribeLogDirsResponse)
		if !ok {
			return nil, nil, false
		}
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Dir, dir.TotalBytes, dir.UsableBytes = "/mem/kfake", diskFree, diskFree
		resp.Dirs = append(resp.Dirs, dir)
		return resp, nil, true
	})
}
