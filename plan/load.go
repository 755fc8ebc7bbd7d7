package plan

import (
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"
)

// Options says what to load.
type Options struct {
	Dir      string            // the directory of the plan; empty: "."
	Vars     map[string]string // --var
	VarFiles []string          // --var-file, relative to the process' working directory; later ones win
	// Environ looks up environment variables, for env() and KPLAN_VAR_NAME.
	// nil: the process' own.
	Environ func(string) (string, bool)
	Version string // of kplan, for required_version; anything but a release satisfies it
}

// Loaded is the outcome of Load.
type Loaded struct {
	Plan    *Plan           // nil if and only if Diags has errors
	Diags   hcl.Diagnostics // sorted by file and line; warnings may stand beside a Plan
	Sources *Sources        // for WriteDiagnostics; never nil
}

// Load reads and evaluates the plan of one directory: every *.kplan.hcl file
// as if it were one, with values from *.auto.kpvars.hcl, var files, KPLAN_VAR_
// environment variables and --var, weakest first: default, environment, auto
// files by name, var files, --var.
//
// All problems are reported at once, with one exception: while a file does not
// parse, the others are compared with the specification only, since what a
// name refers to may stand in the part that could not be read.
//
// Load starts no program and opens no connection. It may be called
// concurrently.
func Load(opts Options) *Loaded {
	if opts.Dir == "" {
		opts.Dir = "."
	}
	if opts.Environ == nil {
		opts.Environ = os.LookupEnv
	}
	l := &loader{opts: opts, spec: Spec(), sources: newSources()}
	l.sources.sensitive = l.spec.sensitiveNames()
	l.funcs = l.functions()

	var p *Plan
	if l.readFiles() {
		root := l.checkFiles()
		if !l.sources.broken() {
			l.declareVariables(root)
			l.evaluateLocals(root)
			p = l.build(root)
		}
	}
	l.sources.hideSecrets()
	l.sanitise()
	SortDiagnostics(l.diags)
	if l.diags.HasErrors() {
		p = nil
	}
	return &Loaded{Plan: p, Diags: l.diags, Sources: l.sources}
}

// loader is the state of one Load.
type loader struct {
	report
	opts    Options
	spec    *BlockSpec
	sources *Sources
	funcs   map[string]function.Function

	variables map[string]*variable
	locals    map[string]*local
	scope     *hcl.EvalContext // everything but side

	hints int // given about names that no pattern covers

	// The selection could not be read, so nothing is compared with it.
	topicsUnknown, groupsUnknown bool
}

// build fills the model. Every part is built even when another one has
// errors; comparisons between parts skip what is missing.
func (l *loader) build(root *block) *Plan {
	p := &Plan{Dir: l.opts.Dir}
	l.checkVersion(root.only("kplan"))
	for _, b := range root.all("cluster") {
		p.Clusters = append(p.Clusters, l.buildCluster(b))
	}
	l.validateClusters(p.Clusters)
	var target *Cluster
	if b := root.only("migration"); b != nil {
		p.Migration = l.buildMigration(b, p.Clusters)
		l.validateSelection(p.Migration)
		l.validateServices(p.Migration)
		target = p.Migration.Target
	}
	p.State = l.buildState(root.only("state"), p.Clusters, target)
	return p
}
