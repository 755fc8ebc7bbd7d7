package executor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// The attributes that kplan set can change while a run goes on.
const (
	attrTimeout = "timeout"
	attrMaxLag  = "max_lag"
	attrHold    = "hold"
	attrRate    = "bytes_per_second"
)

// settable lists the attributes of a kind of step.
func settable(k graph.Kind) []string {
	switch k {
	case graph.Gate:
		return []string{attrHold, attrMaxLag, attrTimeout}
	case graph.Fence, graph.Boundary, graph.MirrorDrain, graph.MirrorStop, graph.Drain, graph.Vacate, graph.Stop, graph.Start, graph.Joined, graph.Works:
		return []string{attrTimeout}
	case graph.MirrorStart:
		return []string{attrRate}
	case graph.CreateTopic, graph.GrantACLs, graph.SetQuota, graph.CreateUser, graph.Override, graph.CaughtUp, graph.Hold, graph.Release, graph.Place:
		return nil
	}
	return nil
}

// CheckSetting says whether ADDRESS.ATTRIBUTE can be set to a value.
func CheckSetting(g *graph.Graph, name, value string) error {
	address, attribute := cutAttribute(name)
	s := g.Step(address)
	if s == nil {
		return fmt.Errorf("the plan has no step %q: want ADDRESS.ATTRIBUTE=VALUE, with an address as diff --full, status and state list print it", address)
	}
	known := settable(s.Kind)
	switch {
	case len(known) == 0:
		return fmt.Errorf("nothing can be set on %s", address)
	case !slices.Contains(known, attribute):
		return fmt.Errorf("%s has no attribute %q that can be set: it has %s", address, attribute, strings.Join(known, ", "))
	}
	var err error
	switch attribute {
	case attrMaxLag:
		var n int64
		if n, err = strconv.ParseInt(value, 10, 64); err == nil && n < 0 {
			err = fmt.Errorf("it is negative")
		}
	case attrRate:
		_, err = parseRate(value)
	default:
		_, err = plan.ParseDuration(value)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: %w", name, value, err)
	}
	return nil
}

// parseRate reads an amount of bytes; 0: no limit.
func parseRate(value string) (int64, error) {
	if value == "0" {
		return 0, nil
	}
	n, err := plan.ParseBytes(value)
	if err == nil && n < plan.LeastThrottle {
		err = fmt.Errorf("it is less than %d bytes a second, with which a copy never ends", plan.LeastThrottle)
	}
	return n, err
}

// cutAttribute takes the attribute, which has no dot, off its address.
func cutAttribute(name string) (address, attribute string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

func (r *run) refuseSetting(l state.Request) string {
	if err := CheckSetting(r.Graph, l.Address, l.Value); err != nil {
		return err.Error()
	}
	return ""
}

// setting returns what was set on a step, or "".
func (r *run) setting(address, attribute string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Settings[address+"."+attribute]
}

// duration is what was set on a step, or what the plan says. Only what
// CheckSetting takes is set.
func (r *run) duration(address, attribute string, planned time.Duration) time.Duration {
	if d, err := plan.ParseDuration(r.setting(address, attribute)); err == nil {
		return d
	}
	return planned
}

// limit is for how long a step may wait.
func (r *run) limit(s *graph.Step, planned time.Duration) time.Duration {
	return r.duration(s.Address, attrTimeout, planned)
}

// number is what was set on a step, or what the plan says.
func (r *run) number(address, attribute string, planned int64) int64 {
	if n, err := strconv.ParseInt(r.setting(address, attribute), 10, 64); err == nil {
		return n
	}
	return planned
}
