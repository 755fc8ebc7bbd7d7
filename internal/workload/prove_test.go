package workload

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kplan/internal/cluster"
)

// ledgers is a work directory on which something is done to one ledger.
func ledgers(t *testing.T, change func(received []entry) []entry) string {
	t.Helper()
	dir := t.TempDir()
	err := WriteServices(dir, Services{Services: []Service{
		{Name: "A", Role: Producer, Produces: []string{"t"}, Rate: 1, Keys: 2},
		{Name: "C", Role: Consumer, Consumes: []string{"t"}, Group: "c"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var produced, seen []entry
	for seq := int64(1); seq <= 100; seq++ {
		for i, key := range []string{"k 0", "k1"} {
			e := entry{deed: acknowledged, at: seq * 1e6, topic: "t", partition: int32(i), offset: seq - 1, key: key, seq: seq, good: true}
			produced = append(produced, e)
			e.deed, e.at = received, e.at+500
			seen = append(seen, e)
		}
	}
	write(t, dir, "A", cluster.Source, produced)
	write(t, dir, "C", cluster.Source, change(seen))
	return dir
}

func write(t *testing.T, dir, service string, side cluster.Side, entries []entry) {
	t.Helper()
	l, err := openLedger(dir, service, side)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.append(entries...); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

func TestProveNegativeControls(t *testing.T) {
	for name, x := range map[string]struct {
		change    func([]entry) []entry
		want      ReaderReport
		sentences []string
	}{
		"untouched": {
			func(e []entry) []entry { return e },
			ReaderReport{Received: 200}, nil,
		},
		"one dropped": {
			func(e []entry) []entry { return slices.Delete(e, 40, 41) },
			ReaderReport{Received: 199, Lost: 1},
			[]string{"Topic t, group c: 1 record lost, such as key k 0 seq 21 (source, partition 0, offset 20)."},
		},
		"one repeated": {
			func(e []entry) []entry { return slices.Insert(e, 60, e[41]) },
			ReaderReport{Received: 200, Twice: 1},
			[]string{"Topic t, group c: 1 record received twice, such as key k1 seq 21 (source, partition 1, offset 20)."},
		},
		"two swapped": {
			func(e []entry) []entry { e[40], e[42] = e[42], e[40]; return e },
			ReaderReport{Received: 200, OutOfOrder: 1},
			[]string{"Topic t, group c: 1 record received out of order, such as key k 0 seq 21 (source, partition 0, offset 20)."},
		},
		"one damaged": {
			func(e []entry) []entry { e[40].good = false; return e },
			ReaderReport{Received: 199, Lost: 1, BadChecksum: 1},
			[]string{
				"Topic t, group c: 1 record lost, such as key k 0 seq 21 (source, partition 0, offset 20).",
				"Topic t, group c: 1 record received with a bad checksum, such as key k 0 seq 21 (source, partition 0, offset 20).",
			},
		},
		"one from nowhere": {
			func(e []entry) []entry {
				x := e[0]
				x.seq = 500
				return append(e, x)
			},
			ReaderReport{Received: 201, Unacknowledged: 1}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Prove(ledgers(t, x.change))
			if err != nil {
				t.Fatal(err)
			}
			x.want.Group, x.want.Services = "c", []string{"C"}
			if diff := cmp.Diff(x.want, report.Topics[0].Readers[0], cmpopts.IgnoreFields(ReaderReport{}, "Examples")); diff != "" {
				t.Errorf("reader (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(x.sentences, report.Sentences()); diff != "" {
				t.Errorf("sentences (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(x.sentences == nil, report.Clean()); diff != "" {
				t.Errorf("clean (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProveManyExamples(t *testing.T) {
	report, err := Prove(ledgers(t, func(e []entry) []entry { return e[:100] }))
	if err != nil {
		t.Fatal(err)
	}
	reader := report.Topics[0].Readers[0]
	if diff := cmp.Diff([]int64{100, maxExamples}, []int64{reader.Lost, int64(len(reader.Examples))}); diff != "" {
		t.Errorf("lost and examples (-want +got):\n%s", diff)
	}
}

// A record that comes late from the other cluster is another matter than one
// that comes late from the same.
func TestProveOrderBetweenClusters(t *testing.T) {
	var late []entry
	dir := ledgers(t, func(e []entry) []entry {
		late = []entry{e[180], e[182]}
		return slices.Delete(slices.Delete(e, 182, 183), 180, 181)
	})
	for i := range late {
		late[i].at = 1e9 // after everything
	}
	write(t, dir, "C", cluster.Target, late)
	report, err := Prove(dir)
	if err != nil {
		t.Fatal(err)
	}
	reader := report.Topics[0].Readers[0]
	if diff := cmp.Diff([]int64{0, 0, 0, 2}, []int64{reader.Lost, reader.Twice, reader.OutOfOrder, reader.OutOfOrderBetween}); diff != "" {
		t.Errorf("lost, twice, out of order, between (-want +got):\n%s", diff)
	}
	if report.Clean() || !report.CleanPerCluster() {
		t.Errorf("clean %t, per cluster %t: want false and true", report.Clean(), report.CleanPerCluster())
	}
	want := Pause{Service: "C", What: "received", Longest: (1e9 - 100*1e6 - 500) / 1e6, From: cluster.Source, To: cluster.Target}
	for _, p := range report.Pauses {
		if p.Service == "C" {
			if diff := cmp.Diff(want, p, cmpopts.IgnoreFields(Pause{}, "Start")); diff != "" {
				t.Errorf("pause (-want +got):\n%s", diff)
			}
		}
	}
}

func TestProveRefusedAndRepeated(t *testing.T) {
	dir := ledgers(t, func(e []entry) []entry { return e })
	again := entry{deed: acknowledged, at: 2e9, topic: "t", key: "k1", seq: 7, good: true, offset: 900}
	gone := entry{deed: refused, at: 2e9, topic: "t", key: "k1", seq: 101, good: true}
	inAfterAll := entry{deed: refused, at: 2e9, topic: "t", key: "k1", seq: 100, good: true}
	write(t, dir, "A", cluster.Target, []entry{again, gone, inAfterAll})
	report, err := Prove(dir)
	if err != nil {
		t.Fatal(err)
	}
	row := report.Topics[0]
	if diff := cmp.Diff([]int64{200, 1, 1}, []int64{row.Produced, row.Repeated, row.Refused}); diff != "" {
		t.Errorf("produced, repeated, refused (-want +got):\n%s", diff)
	}
	want := []string{
		"Topic t: 1 record written twice, such as key k1 seq 7 (target, partition 0, offset 900).",
		"Topic t: 1 record refused by the cluster, such as key k1 seq 101 (target, partition 0, offset 0).",
	}
	if diff := cmp.Diff(want, report.Sentences()); diff != "" {
		t.Errorf("sentences (-want +got):\n%s", diff)
	}
}

// A killed process leaves half a line; its successor must not continue it, and
// a reader must not stumble over it.
func TestLedgerTornLine(t *testing.T) {
	dir := ledgers(t, func(e []entry) []entry { return e[:199] })
	path := ledgerFile(dir, "C", cluster.Source)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("r\t12"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Prove(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Topics[0].Readers[0].Lost; got != 1 {
		t.Errorf("lost %d with a torn line, want 1", got)
	}
	write(t, dir, "C", cluster.Source, []entry{{deed: received, at: 3e9, topic: "t", key: "k1", seq: 100, good: true}})
	if report, err = Prove(dir); err != nil {
		t.Fatal(err)
	}
	if !report.Clean() {
		t.Errorf("after the repair: %v", report.Sentences())
	}
}

func TestProveNonsense(t *testing.T) {
	for _, line := range []string{"nonsense", "r\t1\tt\t0\t0\tk\tx\ttrue", "q\t1\tt\t0\t0\tk\t1\ttrue", "r\t1\tother\t0\t0\tk\t1\ttrue", "r\t1\tt\t0\t0\t%zz\t1\ttrue", ""} {
		dir := ledgers(t, func(e []entry) []entry { return nil })
		if err := os.WriteFile(ledgerFile(dir, "C", cluster.Source), []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Prove(dir); err == nil {
			t.Errorf("a ledger with the line %q passed", line)
		}
	}
}

func TestRecord(t *testing.T) {
	value, err := encode("t", "k", 7, time.Unix(0, 5), 300)
	if err != nil {
		t.Fatal(err)
	}
	if len(value) < 250 || len(value) > 350 {
		t.Errorf("%d bytes, want about 300", len(value))
	}
	if r := decode("t", []byte("k"), value); !r.good || r.Seq != 7 {
		t.Errorf("decoded to %+v", r)
	}
	for name, r := range map[string]record{
		"other topic": decode("u", []byte("k"), value),
		"other key":   decode("t", []byte("x"), value),
		"changed":     decode("t", []byte("k"), []byte(strings.Replace(string(value), `"seq":7`, `"seq":8`, 1))),
		"no JSON":     decode("t", []byte("k"), []byte("x")),
		"nothing":     decode("t", nil, nil),
	} {
		if r.good {
			t.Errorf("%s passed for good", name)
		}
	}
}

func TestServicesThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	for want, s := range map[string]Service{
		"the name":         {Name: "a/b", Role: Producer, Produces: []string{"t"}, Rate: 1, Keys: 1},
		"role":             {Name: "a", Role: "boss"},
		"needs consumes":   {Name: "a", Role: Consumer, Consumes: []string{"t"}},
		"needs produces":   {Name: "a", Role: Processor, Consumes: []string{"t"}, Group: "g"},
		"above zero":       {Name: "a", Role: Producer, Produces: []string{"t"}},
		"neither consumes": {Name: "a", Role: Producer, Produces: []string{"t"}, Group: "g", Rate: 1, Keys: 1},
		"has no produces":  {Name: "a", Role: Consumer, Consumes: []string{"t"}, Group: "g", Produces: []string{"u"}},
		"is defined twice": {Name: "twice", Role: Producer, Produces: []string{"t"}, Rate: 1, Keys: 1},
	} {
		all := Services{Services: []Service{s}}
		if s.Name == "twice" {
			all.Services = append(all.Services, s)
		}
		err := WriteServices(dir, all)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", s, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "services.json")); err == nil {
		t.Error("a wrong definition was written")
	}
}
