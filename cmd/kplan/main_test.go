package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kplan/internal/kafkatest"
)

// binaries are built once for all tests of the package: kplan as it is tested
// (with the race detector if the tests have it) and, for the services that
// merely play along, kplan as it ships.
type binaries struct {
	kplan, plain string
}

// The environment variables by which TestMain tells the tests what it built.
const (
	envKplan = "TEST_KPLAN"
	envPlain = "TEST_KPLAN_PLAIN"
)

func built() binaries { return binaries{kplan: os.Getenv(envKplan), plain: os.Getenv(envPlain)} }

// brokers are the real Kafka clusters that tests of this package share.
var brokers kafkatest.Pool // closed by TestMain

// room is for as many migrations and scripts side by side as two processors bear:
// they mostly wait.
var room = make(chan struct{}, 9)

// inRoom does something when there is room for it. What does must not ask again.
func inRoom(do func()) {
	room <- struct{}{}
	defer func() { <-room }()
	do()
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kplan-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for name, args := range map[string][]string{envKplan: raceFlag(), envPlain: nil} {
		path := filepath.Join(dir, name, "kplan")
		build := exec.Command("go", append(append([]string{"build", "-o", path}, args...), ".")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building kplan: %v\n%s", err, out)
			return 1
		}
		if err := os.Setenv(name, path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return brokers.Main(m)
}
