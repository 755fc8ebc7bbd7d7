package mirror_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
)

// Whoever goes on, after a restart or a refusal, asks the source whether it still
// has what was read, and reads on with the leader epoch of that.
func TestEpochsSurviveARestart(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	c, end := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	end()
	f.write(t, 5)
	var mu sync.Mutex
	read, asked := int32(-2), int32(-2)
	f.source.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			for _, p := range topic.Partitions {
				if read == -2 && p.FetchOffset == 20 {
					read = p.LastFetchedEpoch
				}
			}
		}
		return true
	}})
	f.source.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetForLeaderEpoch}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = req.(*kmsg.OffsetForLeaderEpochRequest).Topics[0].Partitions[0].LeaderEpoch
		return true
	}})
	c, _ = f.run(t, nil)
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
	mu.Lock()
	defer mu.Unlock()
	if read < 0 || asked != read {
		t.Errorf("offset 20, up to which another process had read, is read with leader epoch %d, and %d was asked about", read, asked)
	}
}

// A source that was truncated, and has grown again beyond what was copied, stops
// its partition by name, with the offset and the way out; the others go on.
func TestASourceOfAnotherHistory(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name       string
		epoch      int32 // that the source tells, added to the one asked for
		end        int64
		want       int64
		sameSource bool
	}{
		{name: "the epoch ended earlier", end: 12, want: 12},
		{name: "the epoch was never written", epoch: -1, end: 15, want: 15},
		{name: "the epoch was never written, the one before is longer", epoch: -1, end: 30, want: 20},
		{name: "it is the same", end: 20, sameSource: true},
		{name: "it is the same and has grown", end: 25, sameSource: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 2)
			for i := range f.partitions { // so that there is an epoch before
				for range 2 {
					if err := f.source.Fake().MoveTopicPartition(fakedTopic, int32(i), 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			f.write(t, 20)
			c, end := f.run(t, nil)
			f.drained(t, c, f.partitions...)
			end()
			f.write(t, 5)
			fake := f.source.Fake()
			fake.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				fake.KeepControl()
				resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
				for _, topic := range req.(*kmsg.OffsetForLeaderEpochRequest).Topics {
					answer := kmsg.NewOffsetForLeaderEpochResponseTopic()
					answer.Topic = topic.Topic
					for _, p := range topic.Partitions {
						told := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
						told.Partition, told.LeaderEpoch, told.EndOffset = p.Partition, p.LeaderEpoch, 25
						if p.Partition == 0 {
							told.LeaderEpoch, told.EndOffset = p.LeaderEpoch+one.epoch, one.end
						}
						answer.Partitions = append(answer.Partitions, told)
					}
					resp.Topics = append(resp.Topics, answer)
				}
				return resp, nil, true
			})
			c, _ = f.run(t, nil)
			if one.sameSource {
				f.drained(t, c, f.partitions...)
				f.same(t, f.partitions...)
				return
			}
			f.drained(t, c, f.partitions[1])
			got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
			var truncated *mirror.TruncatedError
			if !errors.As(got.Why, &truncated) || truncated.Side != "source" || truncated.Offset != one.want || truncated.Read != 20 ||
				!strings.Contains(got.Why.Error(), "--anew "+fakedTopic) {
				t.Errorf("it says: %v; want offset %d", got.Why, one.want)
			}
			if end := f.ends(t, f.target)[f.partitions[0]]; end != 20 {
				t.Errorf("%d records of another history were copied", end-20)
			}
		})
	}
}
