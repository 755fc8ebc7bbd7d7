package plan

import (
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agext/levenshtein"
	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"0s": 0, "10s": 10 * time.Second, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "5m30s": 330 * time.Second, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
		"0.000000001s": 1,
	}
	for text, want := range good {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "2", "2 h", "h", "-2h", "+2h", "2H", "2h ", "1h1h", "1m1h", "two hours", "1e3s", "999999999999999999w", "0.0000001ms", "2h\n", "٢h", "1y"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	good := map[string]int64{
		"0B": 0, "512B": 512, "1kB": 1000, "1KB": 1000, "1KiB": 1024, "80MiB": 80 << 20, "80 MiB": 80 << 20, "100MB": 100_000_000,
		"1.5GiB": 3 << 29, "4TiB": 4 << 40, "7PiB": 7 << 50, "0.5kB": 500,
	}
	for text, want := range good {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "80M", "80m", "80mb", "80Mib", "80kiB", "MiB", "-1MiB", "1.5B", "1 0MiB", "9000PiB", "1EiB", "80  MiB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %v, want an error", text, got)
		}
	}
}

// TestPrecedence gives one variable a value in every way.
func TestPrecedence(t *testing.T) {
	text := "# WITH clusters migration\nvariable \"v\" { default = \"default\" }\nstate \"file\" { path = var.v }\n"
	opts := fixtureOptions(t, "x.kplan.hcl", []byte(text))
	path := func() string { return mustLoad(t, opts).State.Path }
	write := func(name, value string) string {
		full := filepath.Join(opts.Dir, name)
		if err := os.WriteFile(full, []byte("v = \""+value+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return full
	}
	var got []string
	got = append(got, path())
	opts.Environ = func(k string) (string, bool) { return "environment", k == "KPLAN_VAR_v" }
	got = append(got, path())
	write("z.auto.kpvars.hcl", "auto z")
	write("a.auto.kpvars.hcl", "auto a")
	got = append(got, path())
	second, first := write("a.kpvars.hcl", "second file"), write("b.kpvars.hcl", "first file")
	opts.VarFiles = []string{first, second}
	got = append(got, path())
	opts.Vars = map[string]string{"v": "flag"}
	got = append(got, path())
	want := []string{"default", "environment", "auto z", "second file", "flag"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
}

// TestVariableTypes reads texts as values of other types.
func TestVariableTypes(t *testing.T) {
	text := `# WITH clusters migration
# VAR list=["a", "b"]
# VAR map={ a = "b" }
# VAR number=3
# VAR any=[text]
# ENV KPLAN_VAR_flag=true
variable "list" { type = list(string) }
variable "map" { type = map(string) }
variable "number" { type = number }
variable "flag" { type = bool }
variable "any" {}
variable "none" {
  type    = string
  default = null
}
state "file" { path = join("/", [var.list[1], var.map["a"], "${var.number + 1}", var.flag ? "yes" : "no", var.any, coalesce(var.none, "null")]) }
`
	p := mustLoad(t, fixtureOptions(t, "x.kplan.hcl", []byte(text)))
	if want := "b/b/4/yes/[text]/null"; p.State.Path != want {
		t.Errorf("got %q, want %q", p.State.Path, want)
	}
}

// TestFilesOfTheDirectory looks at what is read, and what is not.
func TestFilesOfTheDirectory(t *testing.T) {
	codes := func(opts Options) []string {
		var got []string
		for _, d := range Load(opts).Diags {
			at := ""
			if d.Subject != nil {
				at = d.Subject.Filename + " "
			}
			got = append(got, at+string(CodeOf(d)))
		}
		return got
	}
	check := func(name string, opts Options, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, codes(opts)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	empty := t.TempDir()
	check("no files", Options{Dir: empty}, "KP1001")
	if detail := Load(Options{Dir: empty}).Diags[0].Detail; !strings.Contains(detail, "migration \"orders\" {") {
		t.Errorf("the message does not show how to write a plan: %s", detail)
	}
	check("no directory", Options{Dir: filepath.Join(empty, "missing")}, "KP1002")

	opts := fixtureOptions(t, "x.kplan.hcl", []byte("# WITH clusters migration\nvariable \"ns\" { default = \"x\" }\n"))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(opts.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".#y.kplan.hcl", "y.kplan.hcl~", "y.hcl", "y.kplan.hcl.bak", "y.kpvars.hcl"} {
		write(name, "nonsense = [")
	}
	check("other files", opts)
	write("z.auto.kpvars.hcl", "nss = 1\nblock {}\nns = ref\n")
	opts.Vars["nss"] = "1"
	check("values", opts, "KP1104", "z.auto.kpvars.hcl KP1104", "z.auto.kpvars.hcl KP1201", "z.auto.kpvars.hcl KP1108")
	opts.Vars = nil
	write("z.auto.kpvars.hcl", "ns = upr(1)\n")
	opts.VarFiles = []string{filepath.Join(opts.Dir, "missing.hcl")}
	check("missing file", opts, "KP1002")
	opts.VarFiles = nil
	check("function", opts, "z.auto.kpvars.hcl KP1109")

	// The files that parse are looked at while another one does not.
	write("broken.kplan.hcl", "cluster \"x\" {")
	write("other.kplan.hcl", "clutser \"x\" {}\nlocals { a = local.in_the_broken_part }\n")
	check("broken", opts, "broken.kplan.hcl KP1003", "other.kplan.hcl KP1201")
	write("broken.kplan.hcl", strings.Repeat("# long\n", maxFileSize/7+1))
	check("large", opts, "KP1002", "other.kplan.hcl KP1201")
	if err := os.Remove(filepath.Join(opts.Dir, "broken.kplan.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(opts.Dir, "broken.kplan.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	check("directory", opts, "KP1002", "other.kplan.hcl KP1201")
}

// TestDeepNesting gives text to Load on which the parser would recurse until
// the stack is gone, which no program survives. The guard must see it first.
func TestDeepNesting(t *testing.T) {
	const n = 5_000
	for name, text := range map[string]string{
		"brackets":   "a = " + strings.Repeat("[", n),
		"parens":     "a = " + strings.Repeat("(", n),
		"blocks":     strings.Repeat("a {\n", n),
		"objects":    "a = " + strings.Repeat("{a=", n),
		"not":        "a = " + strings.Repeat("!", n) + "1",
		"minus":      "a = " + strings.Repeat("-", n) + "1",
		"plus":       "a = 1" + strings.Repeat("+1", n),
		"conditions": "a = " + strings.Repeat("b?c:", n) + "d",
		"templates":  "a = " + strings.Repeat("\"${", n),
		"dots":       "a = b" + strings.Repeat(".c", n),
		"fors":       "a = " + strings.Repeat("[for x in ", n),
		"ifs":        "a = \"" + strings.Repeat("%{if a}", n) + "\"",
	} {
		t.Run(name, func(t *testing.T) {
			loaded := Load(fixtureOptions(t, "x.kplan.hcl", []byte("locals {\n"+text+"\n}\n")))
			if len(loaded.Diags) != 1 || !strings.Contains(loaded.Diags[0].Detail, "nested too deeply") {
				t.Errorf("got %d diagnostics, want one about nesting", len(loaded.Diags))
			}
		})
	}
}

// TestManyProblems loads and renders plans with a great many problems. It ends
// in seconds, or something is quadratic.
func TestManyProblems(t *testing.T) {
	const n = 2_500
	for name, text := range map[string]string{
		"names":    strings.Repeat("pasword = 1\n", n),
		"services": strings.Repeat("service \"x\" {}\n", n),
		"indexes":  "locals {\n a = b" + strings.Repeat("[0]", n) + "\n}",
		"calls":    "locals {\n a = b" + strings.Repeat("(0)", n) + "\n}",
		"interps":  "locals {\n a = \"" + strings.Repeat("${b}", n) + "\"\n}",
		"broken":   strings.Repeat("password = <<A\n", n),
	} {
		t.Run(name, func(t *testing.T) {
			loaded := Load(fixtureOptions(t, "x.kplan.hcl", []byte(text)))
			if !loaded.Diags.HasErrors() || rendered(t, loaded, false) == "" {
				t.Error("no problem is reported")
			}
		})
	}
}

// TestConcurrentLoads is for the race detector.
func TestConcurrentLoads(t *testing.T) {
	opts := goodOptions(t, nil)
	hashes := make([]string, 8)
	var wg sync.WaitGroup
	for i := range hashes {
		wg.Go(func() {
			if p := Load(opts).Plan; p != nil {
				hashes[i] = p.Hash()
			}
		})
	}
	wg.Wait()
	for _, h := range hashes {
		if h == "" || h != hashes[0] {
			t.Errorf("hashes differ: %q", hashes)
		}
	}
}

// TestSpec checks that the table is whole enough to make documentation from.
func TestSpec(t *testing.T) {
	Spec().Walk(func(path []*BlockSpec, b *BlockSpec) {
		at := b.Header()
		for i := len(path) - 1; i > 0; i-- {
			at = path[i].Header() + " > " + at
		}
		if !strings.HasSuffix(b.Doc, ".") {
			t.Errorf("%s has no sentence", at)
		}
		if b.NotBuilt != "" && !strings.HasSuffix(b.NotBuilt, ".") {
			t.Errorf("%s is not built and has no way out", at)
		}
		names := map[string]bool{}
		for _, a := range b.Attrs {
			if names[a.Name] || len(b.BlocksOf(a.Name)) > 0 {
				t.Errorf("%s has two of %s", at, a.Name)
			}
			names[a.Name] = true
			if !strings.HasSuffix(a.Doc, ".") || a.Kind == "" {
				t.Errorf("%s.%s is not described", at, a.Name)
			}
			if a.Required && a.Default != "" {
				t.Errorf("%s.%s is required and has a default", at, a.Name)
			}
			_, err := ParseDuration(a.Min)
			if a.Kind == KindInt {
				_, err = strconv.Atoi(a.Min)
			}
			if a.Min != "" && err != nil {
				t.Errorf("%s.%s: %v", at, a.Name, err)
			}
			if a.Kind == KindWords && len(a.Values) == 0 {
				t.Errorf("%s.%s: has no words to choose from", at, a.Name)
			}
			if a.Clear && !a.Sensitive {
				t.Errorf("%s.%s is not sensitive, so nothing hides it", at, a.Name)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"bootstrap", "cluster_id", "tls", "sasl", "listener", "username"}
	for given, want := range map[string]string{
		"bootstrp": "bootstrap", "Bootstrap": "bootstrap", "tsl": "tls", "ssl": "sasl", "user": "username",
		"frobnicate": "", "": "", "x": "", "listenre": "listener",
	} {
		if got := nearest(given, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", given, got, want)
		}
	}
}

// TestNear compares the quick look with the distance itself.
func TestNear(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	alphabet := []rune("abcé€𝄞-")
	word := func() string {
		w := make([]rune, r.Intn(9))
		for i := range w {
			w[i] = alphabet[r.Intn(len(alphabet))]
		}
		return string(w)
	}
	close := 0
	for range 200_000 {
		a, b := word(), word()
		if levenshtein.Distance(a, b, nil) > 2 {
			continue
		}
		if close++; !near(a, b) {
			t.Fatalf("%q and %q are near", a, b)
		}
	}
	if close < 1000 || near("abcdef", "uvwxyz") || near("area-01.topic-00001", "area-01.topic-77701") {
		t.Errorf("the quick look lets everything pass (%d pairs are near)", close)
	}
}

func TestFunctionNames(t *testing.T) {
	names := FunctionNames()
	for _, want := range []string{"env", "file", "duration", "bytes", "nonsensitive", "join", "upper"} {
		if !contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
	// Plans must evaluate to the same model each time.
	for _, not := range []string{"timestamp", "uuid", "timeadd"} {
		if contains(names, not) {
			t.Errorf("%s depends on the moment", not)
		}
	}
}
