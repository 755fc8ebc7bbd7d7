package workload

import (
	"time"

	"kplan/internal/cluster"
)

// placeLost reads the producers' ledgers once more to tell where the examples of
// lost and refused records were written. It reads nothing when there are none.
func placeLost(dir string, all Services, topics []TopicReport) error {
	type name struct {
		topic, key string
		seq        int64
	}
	wanted := map[name][]*Example{}
	collect := func(topic string, list []Example) {
		for i := range list {
			if e := &list[i]; e.Side == cluster.NoSide {
				n := name{topic, e.Key, e.Seq}
				wanted[n] = append(wanted[n], e)
			}
		}
	}
	for _, t := range topics {
		collect(t.Topic, t.Examples)
		for _, r := range t.Readers {
			collect(t.Topic, r.Examples)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	for _, svc := range all.Services {
		for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
			ledger := &ledgerReader{path: ledgerFile(dir, svc.Name, side)}
			for e, err := range ledger.all() {
				if err != nil {
					return err
				}
				if e.deed == received {
					continue
				}
				for _, x := range wanted[name{e.topic, e.key, e.seq}] {
					x.Side, x.Partition, x.Offset, x.At = side, e.partition, e.offset, time.Unix(0, e.at).UTC()
				}
			}
		}
	}
	return nil
}
