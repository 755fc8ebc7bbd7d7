package kafkatest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// orphanCommand makes this test binary start a broker and wait to be killed.
const orphanCommand = "kafkatest-orphan"

func orphan() int {
	return kafkatest.StartForOrphanTest(os.Stdout)
}

// Brokers must not outlive a test process that is killed: no cleanup runs then.
func TestOnRealBrokersDieWithTheirTest(t *testing.T) {
	cmd := exec.Command(os.Args[0], orphanCommand)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	var pid int
	var dir string
	for in.Scan() {
		if n, _ := fmt.Sscanf(in.Text(), "broker %d in %s", &pid, &dir); n == 2 {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed, and says so
	if pid == 0 {
		t.Fatal("the process that was to start a broker told of none")
	}
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-limit:
			t.Fatalf("broker process %d outlived its test", pid)
		case <-tick.C:
		}
	}
	// The next start sweeps the folder away.
	kafkatest.SweepForTest(dir)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s stayed behind", dir)
	}
}

// alive tells whether a process runs; one that is only not reaped yet does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	text := string(data)
	return !strings.HasPrefix(text[strings.LastIndexByte(text, ')')+1:], " Z")
}
