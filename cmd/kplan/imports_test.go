package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which packages of kplan each package may import. A package that
// is not listed may not exist; ARCHITECTURE.md draws the same picture.
func arrows() map[string][]string {
	return map[string][]string{
		"kplan/internal/cluster":        {},
		"kplan/internal/embedded/certs": {},
		"kplan/internal/embedded":       {"kplan/internal/embedded/certs"},
		"kplan/plan":                    {},
		"kplan/plan/graph":              {"kplan/plan", "kplan/internal/cluster"},
		"kplan/plan/diff":               {"kplan/plan", "kplan/plan/graph", "kplan/internal/cluster"},
		"kplan/internal/endpoint":       {"kplan/plan", "kplan/internal/cluster"},
		"kplan/internal/kafka":          {"kplan/internal/cluster", "kplan/internal/endpoint", "kplan/mirror/batch", "kplan/mirror/wire"},
		"kplan/internal/scratch":        {"kplan/internal/cluster", "kplan/internal/endpoint", "kplan/mirror/wire"},
		"kplan/internal/workload":       {"kplan/internal/cluster"},
		brokersCommand:                  {"kplan/internal/kafkatest"},
		"kplan/internal/kafkatest":      {"kplan/internal/cluster", "kplan/internal/embedded/certs"},
		"kplan/internal/demo":           {"kplan/examples", "kplan/internal/cluster", "kplan/internal/workload"},
		"kplan/examples":                {},
		"kplan/checks":                  {"kplan/plan", "kplan/plan/diff", "kplan/internal/cluster"},
		"kplan/internal/boottime":       {},
		"kplan/executor/state":          {"kplan/internal/cluster", "kplan/internal/boottime"},
		"kplan/executor/switches":       {"kplan/plan", "kplan/internal/cluster"},
		"kplan/executor":                {"kplan/plan", "kplan/plan/graph", "kplan/plan/diff", "kplan/executor/state", "kplan/internal/cluster"},
		"kplan/internal/report":         {"kplan/plan", "kplan/plan/graph", "kplan/plan/diff", "kplan/executor", "kplan/executor/state", "kplan/internal/migration", "kplan/internal/workload", "kplan/internal/cluster", "kplan/mirror", "kplan/mirror/worker"},
		"kplan/internal/notify":         {"kplan/plan"},
		"kplan/internal/migration": {"kplan/plan", "kplan/plan/graph", "kplan/plan/diff", "kplan/checks", "kplan/executor", "kplan/executor/state",
			"kplan/internal/kafka", "kplan/internal/endpoint", "kplan/internal/cluster", "kplan/mirror", "kplan/mirror/worker", "kplan/mirror/driver", "kplan/mirror/wire", "kplan/internal/boottime", "kplan/internal/scratch"},
		"kplan/mirror":        {"kplan/mirror/batch", "kplan/mirror/wire"},
		"kplan/mirror/worker": {"kplan/mirror", "kplan/mirror/wire", "kplan/internal/boottime"},
		"kplan/mirror/driver": {"kplan/mirror", "kplan/mirror/wire", "kplan/mirror/worker", "kplan/executor", "kplan/internal/cluster"},
		"kplan/mirror/wire":   {"kplan/internal/endpoint"},
		"kplan/mirror/batch":  {},
		"kplan/docs/schema":   {},
		"kplan/cmd/kplan":     {"*"},
	}
}

// clients says who may speak to Kafka with which library.
func clients() map[string][]string {
	return map[string][]string{
		"github.com/IBM/sarama":             {"kplan/internal/kafka", "kplan/internal/workload"},
		"github.com/twmb/franz-go":          {"kplan/internal/embedded", "kplan/internal/kafkatest", "kplan/internal/scratch", "kplan/mirror/wire", "kplan/mirror/worker"},
		"github.com/hashicorp/hcl/v2":       {"kplan/plan", "kplan/plan/graph", "kplan/plan/diff", "kplan/internal/migration", "kplan/cmd/kplan"},
		"github.com/zclconf/go-cty":         {"kplan/plan"},
		"github.com/spf13/cobra":            {"kplan/cmd/kplan"},
		"github.com/prometheus":             {"kplan/internal/report", "kplan/mirror/worker"},
		"github.com/olekukonko/tablewriter": {"kplan/cmd/kplan", "kplan/internal/report"},
		"github.com/klauspost/compress":     {"kplan/mirror/batch"},
		"github.com/pierrec/lz4/v4":         {"kplan/mirror/batch"},
	}
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "kplan/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	var all []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// brokersCommand runs tests, and is no part of the program.
const brokersCommand = "kplan/internal/kafkatest/brokers"

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range packages(t) {
		allowed, known := arrows()[p.ImportPath]
		if !known {
			t.Errorf("package %s is not in the picture: add it to arrows() and to ARCHITECTURE.md", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "kplan/") && !slices.Contains(allowed, "*") && !slices.Contains(allowed, imported) {
				t.Errorf("%s must not import %s", p.ImportPath, imported)
			}
			if imported == "kplan/internal/kafkatest" && p.ImportPath != brokersCommand {
				t.Errorf("%s must not import %s: it is for tests", p.ImportPath, imported)
			}
			for library, users := range clients() {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(users, p.ImportPath) {
					t.Errorf("%s must not import %s", p.ImportPath, imported)
				}
			}
		}
	}
}
