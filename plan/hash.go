package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// hashFormat is part of every hash. It changes when the meaning of a plan
// changes though its model does not look different.
const hashFormat = "kplan plan 1"

// Hash identifies what the plan means: sha256 in hex of the evaluated model
// without secrets, source ranges and the directory's path. Comments,
// formatting, and how a value is expressed do not change it; the order of
// services and clusters does. Notifications, the place of the state, the
// throttle of the mirror and its workers' session timeout do not count either: they change nothing about what is
// done.
func (p *Plan) Hash() string {
	if p.hash != "" {
		return p.hash
	}
	meant := *p
	meant.State = State{}
	if m := p.Migration; m != nil && m.Mirror != nil {
		migration, mirror := *m, *m.Mirror
		mirror.BytesPerSecond, mirror.SessionTimeout = 0, 0
		migration.Mirror, meant.Migration = &mirror, &migration
	}
	sum := sha256.Sum256([]byte(hashFormat + "\n" + meant.describe()))
	return hex.EncodeToString(sum[:])
}

// describe writes the model as lines of path = value. Empty values are left out, so that a new field of the model leaves
// the hashes of plans alone that do not use it.
func (p *Plan) describe() string {
	var out strings.Builder
	describe(&out, "", reflect.ValueOf(struct {
		State     State
		Clusters  []*Cluster
		Migration *Migration
	}{p.State, p.Clusters, p.Migration}))
	return out.String()
}

func describe(out *strings.Builder, path string, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeOf(hcl.Range{}), reflect.TypeOf(Secret{}), reflect.TypeOf(Notify{}):
		return
	case reflect.TypeOf(Pattern{}):
		v = v.FieldByName("Text")
	case reflect.TypeOf(time.Duration(0)):
		if !v.IsZero() {
			fmt.Fprintf(out, "%s = %s\n", path, time.Duration(v.Int()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		// Clusters are described where they are declared.
		if c, is := v.Interface().(*Cluster); is && !strings.HasPrefix(path, "Clusters[") {
			fmt.Fprintf(out, "%s = cluster.%s\n", path, c.Name)
			return
		}
		fmt.Fprintf(out, "%s present\n", path)
		describe(out, path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			describe(out, strings.TrimPrefix(path+"."+field.Name, "."), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			describe(out, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			// An empty config is a statement as well.
			fmt.Fprintf(out, "%s[%q] = %q\n", path, k.String(), fmt.Sprint(v.MapIndex(k).Interface()))
		}
	case reflect.String:
		if v.Len() > 0 {
			fmt.Fprintf(out, "%s = %q\n", path, v.String())
		}
	default:
		if !v.IsZero() {
			fmt.Fprintf(out, "%s = %v\n", path, v.Interface())
		}
	}
}
