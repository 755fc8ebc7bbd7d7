package workload

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"kplan/internal/cluster"
)

// Prove reads the ledgers of a work directory, each once and line by line, and
// counts. Memory grows with the number of keys and by a bit per record. It may
// run while services run; records under way then look lost for a moment.
func Prove(dir string) (Report, error) {
	all, err := ReadServices(dir)
	if err != nil {
		return Report{}, err
	}
	p := newProof(all)
	for _, reader := range p.units() {
		var ledgers []*ledgerReader
		var of []instanceID
		for _, svc := range reader {
			for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
				ledgers = append(ledgers, &ledgerReader{path: ledgerFile(dir, svc.Name, side)})
				of = append(of, instanceID{svc, side})
			}
		}
		err := merged(ledgers, func(which int, e entry) error { return p.take(of[which], e) })
		if err != nil {
			return Report{}, err
		}
	}
	report := p.report()
	if err := placeLost(dir, all, report.Topics); err != nil {
		return Report{}, err
	}
	return report, nil
}

// instanceID is one service on one side.
type instanceID struct {
	svc  Service
	side cluster.Side
}

// proof gathers while ledgers are read.
type proof struct {
	services Services
	topics   map[string]*topicProof
	readers  map[readerKey]*readerProof
	pauses   map[pauseKey]*gap
}

type readerKey struct{ topic, group string }
type pauseKey struct{ service, what string }

type topicProof struct {
	produced, refused map[string]seqSet // by key
	repeated          int64
	examples          []Example
}

type readerProof struct {
	services []string
	seen     map[string]seqSet
	// highest per key: index 0 over both sides, then by side.
	highest  map[string]*[3]int64
	twice    int64
	disorder int64
	between  int64
	bad      int64
	examples []Example
}

func newProof(all Services) *proof {
	p := &proof{
		services: all, topics: map[string]*topicProof{},
		readers: map[readerKey]*readerProof{}, pauses: map[pauseKey]*gap{},
	}
	for _, svc := range all.Services {
		for _, t := range svc.Produces {
			p.topic(t)
		}
		for _, t := range svc.Consumes {
			p.topic(t)
			k := readerKey{t, svc.identity()}
			if p.readers[k] == nil {
				p.readers[k] = &readerProof{seen: map[string]seqSet{}, highest: map[string]*[3]int64{}}
			}
			p.readers[k].services = append(p.readers[k].services, svc.Name)
		}
	}
	return p
}

// units are the services whose ledgers have to be read together: members of one
// group share keys.
func (p *proof) units() [][]Service {
	var names []string
	units := map[string][]Service{}
	for _, svc := range p.services.Services {
		// A group and a service may have the same name.
		id := "group " + svc.Group
		if svc.Group == "" {
			id = "service " + svc.Name
		}
		if units[id] == nil {
			names = append(names, id)
		}
		units[id] = append(units[id], svc)
	}
	out := make([][]Service, 0, len(names))
	for _, n := range names {
		out = append(out, units[n])
	}
	return out
}

func (p *proof) topic(name string) *topicProof {
	if p.topics[name] == nil {
		p.topics[name] = &topicProof{produced: map[string]seqSet{}, refused: map[string]seqSet{}}
	}
	return p.topics[name]
}

func (p *proof) take(of instanceID, e entry) error {
	switch e.deed {
	case acknowledged:
		p.pause(of, "produced", e.at)
		t := p.topic(e.topic)
		if !add(t.produced, e.key, e.seq) {
			t.repeated++
			t.examples = example(t.examples, "repeated", of.side, e)
		}
	case refused:
		add(p.topic(e.topic).refused, e.key, e.seq)
	case received:
		p.pause(of, "received", e.at)
		r := p.readers[readerKey{e.topic, of.svc.identity()}]
		if r == nil {
			return fmt.Errorf("service %q received a record of topic %q, which services.json does not give it", of.svc.Name, e.topic)
		}
		r.take(of.side, e)
	default:
		return fmt.Errorf("service %q has an entry of unknown kind %q in its ledger", of.svc.Name, e.deed)
	}
	return nil
}

func (r *readerProof) take(side cluster.Side, e entry) {
	if !e.good {
		r.bad++
		r.examples = example(r.examples, "bad checksum", side, e)
		return
	}
	highest := r.highest[e.key]
	if highest == nil {
		highest = new([3]int64)
		r.highest[e.key] = highest
	}
	switch {
	case !add(r.seen, e.key, e.seq):
		r.twice++
		r.examples = example(r.examples, "twice", side, e)
	case e.seq < highest[side]:
		r.disorder++
		r.examples = example(r.examples, "out of order", side, e)
	case e.seq < highest[0]:
		r.between++
		r.examples = example(r.examples, "out of order between clusters", side, e)
	}
	highest[0], highest[side] = max(highest[0], e.seq), max(highest[side], e.seq)
}

func (p *proof) report() Report {
	report := Report{Topics: []TopicReport{}, Pauses: p.longest()}
	for name, t := range p.topics {
		row := TopicReport{Topic: name, Repeated: t.repeated, Readers: []ReaderReport{}, Examples: t.examples}
		for _, set := range t.produced {
			row.Produced += set.count()
		}
		seen := map[string]seqSet{}
		for k, r := range p.readers {
			if k.topic == name {
				row.Readers = append(row.Readers, r.report(k.group, t.produced))
				for key, set := range r.seen {
					union(seen, key, set)
				}
			}
		}
		for key, set := range t.produced {
			union(seen, key, set)
		}
		for key, seq := range difference(t.refused, seen) {
			row.Refused++
			row.Examples = example(row.Examples, "refused", cluster.NoSide, entry{key: key, seq: seq})
		}
		slices.SortFunc(row.Readers, func(a, b ReaderReport) int { return compareText(a.Group, b.Group) })
		report.Topics = append(report.Topics, row)
	}
	sort.Slice(report.Topics, func(i, j int) bool { return report.Topics[i].Topic < report.Topics[j].Topic })
	return report
}

func (r *readerProof) report(group string, produced map[string]seqSet) ReaderReport {
	out := ReaderReport{
		Group: group, Services: r.services, Twice: r.twice, OutOfOrder: r.disorder,
		OutOfOrderBetween: r.between, BadChecksum: r.bad, Examples: r.examples,
	}
	for _, set := range r.seen {
		out.Received += set.count()
	}
	for key, seq := range difference(produced, r.seen) {
		out.Lost++
		out.Examples = example(out.Examples, "lost", cluster.NoSide, entry{key: key, seq: seq})
	}
	for range difference(r.seen, produced) {
		out.Unacknowledged++
	}
	return out
}

// example keeps the first few of a kind.
func example(have []Example, kind string, side cluster.Side, e entry) []Example {
	n := 0
	for _, x := range have {
		if x.Kind == kind {
			n++
		}
	}
	if n >= maxExamples {
		return have
	}
	return append(have, Example{
		Kind: kind, Key: e.key, Seq: e.seq, Side: side, Partition: e.partition, Offset: e.offset, At: time.Unix(0, e.at).UTC(),
	})
}
