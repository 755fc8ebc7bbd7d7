package plan

import (
	"fmt"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// codedError is an error of one of our functions that has a code of its own.
type codedError struct {
	code Code
	text string
	safe bool // the text quotes nothing that could be sensitive
}

func (e *codedError) Error() string { return e.text }

// FunctionNames returns the functions of the language, sorted.
func FunctionNames() []string { return sortedKeys((&loader{}).functions()) }

// functions returns cty's standard functions under their usual names, and
// kplan's own. Those that depend on the time or on chance are left out: a plan
// must evaluate to the same model each time.
func (l *loader) functions() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc,
		"pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc,
		"regexall": stdlib.RegexAllFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc,
		"strlen": stdlib.StrlenFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
		"title": stdlib.TitleFunc, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc,
		"trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,

		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc,
		"lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,

		"tobool":   conversion(cty.Bool),
		"tolist":   conversion(cty.List(cty.DynamicPseudoType)),
		"tomap":    conversion(cty.Map(cty.DynamicPseudoType)),
		"tonumber": conversion(cty.Number),
		"toset":    conversion(cty.Set(cty.DynamicPseudoType)),
		"tostring": conversion(cty.String),

		"env":          l.envFunc(),
		"file":         l.fileFunc(),
		"duration":     unitFunc("Turns a duration such as \"14d\" into milliseconds, for Kafka's configs.", milliseconds),
		"bytes":        unitFunc("Turns an amount such as \"80MiB\" into bytes.", ParseBytes),
		"nonsensitive": nonsensitiveFunc(),
	}
}

// secretText is the type function of env and file.
func secretText([]cty.Value) (cty.Type, error) { return cty.String, nil }

// envFunc takes marked arguments so that it can tell them apart: the name of
// the variable is repeated in the message, and must not be a secret.
func (l *loader) envFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Reads an environment variable; the value is sensitive.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		Type:        secretText,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].IsMarked() {
				return cty.NilVal, &codedError{"KP1114", "The name of an environment variable cannot come from a sensitive value.", true}
			}
			name := args[0].AsString()
			if !hclsyntax.ValidIdentifier(name) {
				// Somebody may have put the secret itself here.
				return cty.NilVal, &codedError{"KP1112", "env() takes the name of an environment variable, which has letters, digits and _ only.", true}
			}
			value, ok := l.opts.Environ(name)
			if !ok {
				return cty.NilVal, &codedError{"KP1112", fmt.Sprintf("The environment variable %s is not set. Set it for this run; kplan does not take it for empty.", printable(name)), true}
			}
			if !utf8.ValidString(value) {
				return cty.NilVal, &codedError{"KP1112", fmt.Sprintf("The environment variable %s does not hold text in UTF-8.", printable(name)), true}
			}
			return cty.StringVal(value).Mark(sensitive), nil
		},
	})
}

func (l *loader) fileFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Reads a file, relative to the plan's directory; the value is sensitive. Nothing is trimmed.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String, AllowMarked: true}},
		Type:        secretText,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, marks := args[0].Unmark()
			name := "The file"
			if len(marks) == 0 {
				name = "The file " + quote(path.AsString())
			}
			text, err := readRegular(inDir(l.opts.Dir, path.AsString()))
			if err != nil {
				return cty.NilVal, &codedError{"KP1113", fmt.Sprintf("%s cannot be read: %s. Paths are relative to the plan's directory.", name, cause(err)), true}
			}
			if !utf8.Valid(text) {
				return cty.NilVal, &codedError{"KP1113", name + " does not hold text in UTF-8.", true}
			}
			return cty.StringVal(string(text)).Mark(sensitive), nil
		},
	})
}

// inDir makes a path of the plan one of the process.
func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func unitFunc(doc string, parse func(string) (int64, error)) function.Function {
	return function.New(&function.Spec{
		Description: doc,
		Params:      []function.Parameter{{Name: "text", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			n, err := parse(args[0].AsString())
			if err != nil {
				return cty.NilVal, &codedError{"KP1110", sentence(err), false}
			}
			return cty.NumberIntVal(n), nil
		},
	})
}

func milliseconds(text string) (int64, error) {
	d, err := ParseDuration(text)
	if err == nil && d%time.Millisecond != 0 {
		err = fmt.Errorf("%s is not a whole number of milliseconds", quote(text))
	}
	return d.Milliseconds(), err
}

func nonsensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Says that a value is no secret, though it came through env() or file().",
		Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true, AllowNull: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			return args[0].Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, _ := args[0].UnmarkDeep()
			return v, nil
		},
	})
}

func conversion(to cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			v, err := convert.Convert(args[0], to)
			if err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			return convert.Convert(args[0], t)
		},
	})
}

// sentence makes an error the text of a message.
func sentence(err error) string {
	text := err.Error()
	if text == "" {
		return text
	}
	return text + "."
}
