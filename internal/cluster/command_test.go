package cluster_test

import (
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
)

// Taken out: the quotes. What is printed reaches the program word by word.
func TestCommandLineCanBePasted(t *testing.T) {
	for _, word := range []string{
		"gate.cutover", `switch.group["o'brien"].works`, "ns=[\"a\", 'b']", "$HOME `id` \\ *", "", "~", "a b", "käse", "--as", "#x", "a;b", "{a,b}", "!x",
	} {
		out, err := exec.Command("sh", "-c", cluster.CommandLine("printf", "%s", word)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(word, string(out)); diff != "" {
			t.Error(diff)
		}
	}
	if got := cluster.CommandLine("kplan", "-C", "plans/orders", "done", "switch.service.shop.stop"); got != "kplan -C plans/orders done switch.service.shop.stop" {
		t.Errorf("quoted without need: %s", got)
	}
}
