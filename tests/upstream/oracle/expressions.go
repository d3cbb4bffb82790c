package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/akuity/kargo/pkg/expressions"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"go.yaml.in/yaml/v3"
)

// The functions of pkg/expressions/function cannot be built here, they need
// Kargo's API module, which no proxy serves. These stand-ins have the same
// names and the same signatures, so that an expression compiles here exactly
// when it compiles there. The types are those of api/v1alpha1 as far as an
// expression can see them (docs: "Expression Language Reference").
type (
	// FreightOrigin is what warehouse() returns.
	FreightOrigin struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
	// GitCommit is what commitFrom() returns.
	GitCommit struct {
		RepoURL   string `json:"repoURL,omitempty"`
		ID        string `json:"id,omitempty"`
		Branch    string `json:"branch,omitempty"`
		Tag       string `json:"tag,omitempty"`
		Message   string `json:"message,omitempty"`
		Author    string `json:"author,omitempty"`
		Committer string `json:"committer,omitempty"`
	}
	// Image is what imageFrom() returns.
	Image struct {
		RepoURL     string            `json:"repoURL,omitempty"`
		Tag         string            `json:"tag,omitempty"`
		Digest      string            `json:"digest,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	// Chart is what chartFrom() returns.
	Chart struct {
		RepoURL string `json:"repoURL,omitempty"`
		Name    string `json:"name,omitempty"`
		Version string `json:"version,omitempty"`
	}
	// Artifact is what artifactFrom() returns.
	Artifact struct {
		ArtifactType     string
		SubscriptionName string
		Version          string
		Metadata         map[string]any
	}
)

// standIns are results by function and by first argument ("*" for any):
//
//	{"imageFrom": {"example.com/app": {"tag": "1.2.3"}}, "status": {"*": "Succeeded"}}
type standIns map[string]map[string]json.RawMessage

func standIn[T any](results standIns, name string, signatures ...any) expr.Option {
	return expr.Function(name, func(args ...any) (any, error) {
		key := "*"
		if len(args) > 0 {
			key = fmt.Sprint(args[0])
		}
		raw, ok := results[name][key]
		if !ok {
			raw, ok = results[name]["*"]
		}
		if !ok {
			return nil, fmt.Errorf("no result is given for %s(%s)", name, key)
		}
		var result T
		err := json.Unmarshal(raw, &result)
		return result, err
	}, signatures...)
}

// functions are the ones that Kargo gives to an expression in the given
// place: FreightOperations, DataOperations, UtilityOperations, and where steps
// have a status ("config" and "if") StatusOperations.
func functions(place string, results standIns) map[string]expr.Option {
	options := map[string]expr.Option{
		"warehouse": expr.Function("warehouse", func(args ...any) (any, error) {
			return FreightOrigin{Kind: "Warehouse", Name: args[0].(string)}, nil
		}, new(func(string) FreightOrigin)),
		"commitFrom": standIn[GitCommit](results, "commitFrom",
			new(func(string, FreightOrigin) GitCommit), new(func(string) GitCommit)),
		"imageFrom": standIn[Image](results, "imageFrom",
			new(func(string, FreightOrigin) Image), new(func(string) Image)),
		"chartFrom": standIn[Chart](results, "chartFrom",
			new(func(string, string, FreightOrigin) Chart), new(func(string, string) Chart),
			new(func(string, FreightOrigin) Chart), new(func(string) Chart)),
		"artifactFrom": standIn[Artifact](results, "artifactFrom",
			new(func(string, FreightOrigin) Artifact), new(func(string) Artifact)),
		"freightMetadata": standIn[map[string]any](results, "freightMetadata", new(func(string) map[string]any)),
		"stageMetadata":   standIn[map[string]any](results, "stageMetadata", new(func(string) map[string]any)),
		"configMap":       standIn[map[string]string](results, "configMap", new(func(string) map[string]string)),
		"secret":          standIn[map[string]string](results, "secret", new(func(string) map[string]string)),
		"sharedConfigMap": standIn[map[string]string](results, "sharedConfigMap", new(func(string) map[string]string)),
		"sharedSecret":    standIn[map[string]string](results, "sharedSecret", new(func(string) map[string]string)),
		"semverDiff":      standIn[string](results, "semverDiff", new(func(string, string) string)),
		"semverParse": expr.Function("semverParse", func(args ...any) (any, error) {
			return semver.NewVersion(args[0].(string))
		}, new(func(string) *semver.Version)),
	}
	if place == "config" || place == "if" {
		options["always"] = expr.Function("always",
			func(...any) (any, error) { return true, nil }, new(func() bool))
		options["failure"] = standIn[bool](results, "failure", new(func() bool))
		options["success"] = standIn[bool](results, "success", new(func() bool))
		options["status"] = standIn[string](results, "status", new(func(string) string))
	}
	return options
}

// expression evaluates a template with pkg/expressions.EvaluateTemplate. For
// the place "config" the value is what a step gets, after Kargo has read the
// evaluated config again as YAML.
//
//	{"template": "${{ vars.a }}", "env": {"vars": {"a": "1.10"}}} → {"value": 1.1}
func expression(question json.RawMessage) (answer, error) {
	q := struct {
		Template  string         `json:"template"`
		Place     string         `json:"place"`
		Env       map[string]any `json:"env"`
		Functions standIns       `json:"functions"`
	}{Place: "config"}
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	value, err := expressions.EvaluateTemplate(q.Template, q.Env, slices.Collect(maps.Values(functions(q.Place, q.Functions)))...)
	if err != nil {
		return nil, err
	}
	if q.Place == "config" {
		if value, err = throughYAML(value); err != nil {
			return nil, err
		}
	}
	return answer{"value": value}, nil
}

// throughYAML does to a value what StepEvaluator.Config does to a config:
// marshal it as JSON, read that as YAML.
func throughYAML(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var result any
	err = yaml.Unmarshal(text, &result)
	return result, err
}

// expressionCheck compiles every expression of a template with the functions
// that it may call, and tells what the expressions refer to.
//
//	{"template": "${{ outputs.commit.id }}", "place": "config"}
//	→ {"names": ["outputs"], "paths": [["outputs", "commit", "id"]], "calls": [["status", "commit"]]}
func expressionCheck(question json.RawMessage) (answer, error) {
	var q struct {
		Template string `json:"template"`
		Place    string `json:"place"`
	}
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	found := references{Names: []string{}, Paths: [][]string{}, Calls: [][]string{}}
	sources, err := split(q.Template)
	if err != nil {
		return nil, err
	}
	known := functions(q.Place, nil)
	for _, name := range []string{"quote", "unsafeQuote", "asYAML", "asJSON"} {
		known[name] = expr.Function(name,
			func(...any) (any, error) { return "", nil }, new(func(any) string))
	}
	options := slices.Collect(maps.Values(known))
	for _, source := range sources {
		if strings.TrimSpace(source) == "" {
			return nil, errors.New("an expression is empty")
		}
		if _, err = expr.Compile(source, options...); err != nil {
			return nil, err
		}
		tree, err := parser.Parse(source)
		if err != nil {
			return nil, err
		}
		found.collect(tree.Node)
	}
	for _, call := range found.Calls {
		if known[call[0]] == nil {
			return nil, fmt.Errorf("there is no function %s() here", call[0])
		}
	}
	return answer{
		"expressions": sources, "names": found.Names, "paths": found.Paths, "calls": found.Calls,
	}, nil
}

// split finds expressions as pkg/expressions.nextExpression does.
func split(template string) ([]string, error) {
	sources := []string{}
	for {
		start, end, at := "", "", -1
		for _, d := range [][2]string{{"${{", "}}"}, {"${%", "%}"}} {
			if i := strings.Index(template, d[0]); i >= 0 && (at < 0 || i < at) {
				start, end, at = d[0], d[1], i
			}
		}
		if at < 0 {
			return sources, nil
		}
		rest := template[at+len(start):]
		stop := strings.Index(rest, end)
		if stop < 0 {
			return nil, fmt.Errorf("unclosed expression: expected %q but reached end of template", end)
		}
		sources = append(sources, rest[:stop])
		template = rest[stop+len(end):]
	}
}

// references are what expressions name: free variables, the longest constant
// paths that start at one, and called functions with their constant string
// arguments.
type references struct {
	Names []string
	Paths [][]string
	Calls [][]string
}

type visitor struct {
	locals  []string
	callees []ast.Node
	members []*ast.MemberNode
	names   []string
	calls   [][]string
}

// Visit sees children before their parents.
func (v *visitor) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.VariableDeclaratorNode:
		v.locals = append(v.locals, n.Name)
	case *ast.IdentifierNode:
		v.names = append(v.names, n.Value)
	case *ast.MemberNode:
		v.members = append(v.members, n)
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return
		}
		call := []string{callee.Value}
		for _, argument := range n.Arguments {
			if constant, ok := argument.(*ast.StringNode); ok {
				call = append(call, constant.Value)
			}
		}
		v.calls = append(v.calls, call)
	}
}

func (r *references) collect(root ast.Node) {
	v := &visitor{}
	ast.Walk(&root, v)
	called := func(name string) bool {
		return slices.ContainsFunc(v.calls, func(c []string) bool { return c[0] == name })
	}
	for _, name := range v.names {
		if !slices.Contains(v.locals, name) && !called(name) && !slices.Contains(r.Names, name) {
			r.Names = append(r.Names, name)
		}
	}
	r.Calls = append(r.Calls, v.calls...)
	// Parents come last: a path that another one continues is left out.
	slices.Reverse(v.members)
	for _, member := range v.members {
		path := memberPath(member)
		if path == nil || slices.Contains(v.locals, path[0]) {
			continue
		}
		if !slices.ContainsFunc(r.Paths, func(longer []string) bool {
			return len(longer) >= len(path) && slices.Equal(longer[:len(path)], path)
		}) {
			r.Paths = append(r.Paths, path)
		}
	}
}

// memberPath is the constant path of a.b["c"], nil when there is no name at its
// start. A computed index ends the path.
func memberPath(node ast.Node) []string {
	path, _ := constantPath(node)
	return path
}

func constantPath(node ast.Node) (path []string, whole bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}, true
	case *ast.ChainNode:
		return constantPath(n.Node)
	case *ast.MemberNode:
		path, whole = constantPath(n.Node)
		if property, ok := n.Property.(*ast.StringNode); ok && whole && path != nil {
			return append(path, property.Value), true
		}
	}
	return path, false
}
