package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/rogpeppe/go-internal/testscript"

	"kplan/executor/state"
)

// scriptProduce writes records, as a stranger would:
//
//	produce CLUSTER TOPIC PARTITION COUNT
func scriptProduce(ts *testscript.TestScript, args []string) {
	partition, err := strconv.Atoi(args[2])
	ts.Check(err)
	count, err := strconv.Atoi(args[3])
	ts.Check(err)
	p, err := sarama.NewSyncProducerFromClient(scriptClusterOf(ts, args[0]).client)
	ts.Check(err)
	for range count {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{
			Topic: args[1], Partition: int32(partition), Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder("v"),
		})
		ts.Check(err)
	}
	ts.Check(p.Close())
}

// scriptCommit commits an offset: commit CLUSTER GROUP TOPIC PARTITION OFFSET
func scriptCommit(ts *testscript.TestScript, args []string) {
	partition, err := strconv.Atoi(args[3])
	ts.Check(err)
	offset, err := strconv.ParseInt(args[4], 10, 64)
	ts.Check(err)
	c := scriptClusterOf(ts, args[0])
	coordinator, err := c.client.Coordinator(args[1])
	ts.Check(err)
	req := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: args[1], ConsumerGroupGeneration: -1, RetentionTime: -1}
	req.AddBlock(args[2], int32(partition), offset, 0, "")
	resp, err := coordinator.CommitOffset(req)
	ts.Check(err)
	if code := resp.Errors[args[2]][int32(partition)]; code != sarama.ErrNoError {
		ts.Fatalf("committing: %v", code)
	}
}

// scriptUncommit deletes a committed offset: uncommit CLUSTER GROUP TOPIC PARTITION
func scriptUncommit(ts *testscript.TestScript, args []string) {
	partition, err := strconv.Atoi(args[3])
	ts.Check(err)
	ts.Check(scriptClusterOf(ts, args[0]).admin.DeleteConsumerGroupOffset(args[1], args[2], int32(partition)))
}

// scriptHoldLock locks a state directory as a living kplan does, for some time
// already: holdlock DIR AGE
func scriptHoldLock(ts *testscript.TestScript, args []string) {
	age, err := time.ParseDuration(args[1])
	ts.Check(err)
	held, err := state.NewFile(ts.MkAbs(args[0]), time.Now).Acquire(context.Background(), state.Holder{
		Who: "alice", Host: "build-7", PID: os.Getpid(), Since: time.Now().UTC().Add(-age).Truncate(time.Second),
	})
	ts.Check(err)
	w := scriptWorldOf(ts)
	w.closers = append(w.closers, func() { _ = held.Release() }) // the directory goes as well
}

// scriptUnlock takes the lock away from the holder that the last kplan lock
// --json has shown: unlock
func scriptUnlock(ts *testscript.TestScript, _ []string) {
	var doc lockDoc
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	if doc.Holder == nil {
		ts.Fatalf("nobody holds the lock")
	}
	scriptExec(ts, exitDone, "kplan", "unlock", doc.Holder.ID)
}

// scriptWithdraw takes back the request that the last command with --json has
// left, or tries to once more: withdraw [again]
func scriptWithdraw(ts *testscript.TestScript, args []string) {
	if len(args) > 0 {
		scriptExec(ts, exitError, "kplan", "withdraw", ts.Getenv("REQUEST"))
		return
	}
	var answer state.Answer
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &answer))
	ts.Setenv("REQUEST", answer.ID)
	scriptExec(ts, exitDone, "kplan", "withdraw", answer.ID)
}

// scriptNormal writes a text with everything in it replaced that differs from
// run to run: normal stdout|stderr|FILE TO
func scriptNormal(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: normal stdout|stderr|FILE TO")
	}
	text := ts.ReadFile(args[0])
	for name := range scriptWorldOf(ts).clusters {
		id := ts.Getenv(name + "_id")
		text = strings.ReplaceAll(text, id, "ID_OF_"+name)
		text = strings.ReplaceAll(text, id[:4]+"…", "ID_OF_"+name)
		for i, address := range strings.Split(ts.Getenv(name), ",") {
			text = strings.ReplaceAll(text, address, name+strconv.Itoa(i)+":9092")
		}
	}
	for _, r := range []struct{ what, by string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "TIME"},
		{`\d{4}-\d\d-\d\d \d\d:\d\d UTC`, "TIME"},
		{`("plan_hash": ")[^"]*`, "${1}HASH"},
		{`("run": ")[^"]*`, "${1}RUN"},
		{`\((\d+(\.\d+)?(ms|s|µs))+\)`, "(TOOK)"},
		{`\S+( \(\S+\))? on \S+ \(process \d+\)`, "SOMEBODY"},
		{`by \S+( \(\S+\))? from \S+`, "by SOMEBODY"},
		{`\S+ \((\w+)\) from \S+`, "$1 from HOST"},
		{`("from": ")[^"]*`, "${1}HOST"},
		{`(_kplan\.(load|conformance)\.)[0-9a-f]{16}`, "${1}RANDOM"},
		{`request [0-9a-f]{8}`, "request ID"},
		{`withdraw [0-9a-f]{8}`, "withdraw ID"},
		{`plan [0-9a-f]{12}`, "plan HASH"},
		{`id [0-9a-f]{8}, epoch`, "id ID, epoch"},
	} {
		text = regexp.MustCompile(r.what).ReplaceAllString(text, r.by)
	}
	if strings.HasPrefix(text, "{") && !json.Valid([]byte(text)) {
		ts.Fatalf("%s is no JSON document", args[0])
	}
	to := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(to), 0o755))
	ts.Check(os.WriteFile(to, []byte(text), 0o644))
}
