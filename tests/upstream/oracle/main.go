// Command oracle answers questions about Kargo with Kargo's own code.
//
//	oracle COMMAND < questions.json > answers.json
//
// Both files are JSON arrays of the same length. Every answer has an "error"
// when the code that was asked returned one. The commands are the keys of
// commands, below; each function says what it is given and what it answers.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	libsemver "github.com/akuity/kargo/pkg/controller/semver"
	"github.com/akuity/kargo/pkg/pattern"
	kargoyaml "github.com/akuity/kargo/pkg/yaml"
)

type answer map[string]any

var commands = map[string]func(json.RawMessage) (answer, error){
	"constraint":       constraint,
	"duration":         duration,
	"path-pattern":     pathPattern,
	"version":          version,
	"expression":       expression,
	"expression-check": expressionCheck,
	"regexp":           compileRegexp,
	"yaml-update":      yamlUpdate,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(args) != 1 || commands[args[0]] == nil {
		return fmt.Errorf("usage: oracle %s", strings.Join(names, "|"))
	}
	var questions []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return fmt.Errorf("standard input is not a JSON array: %w", err)
	}
	answers := make([]answer, len(questions))
	for i, question := range questions {
		reply, err := commands[args[0]](question)
		if reply == nil {
			reply = answer{}
		}
		if err != nil {
			reply["error"] = err.Error()
		}
		answers[i] = reply
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// constraint is what Kargo's webhook does with a constraint
// (pkg/validation.SemverConstraint), and what a selector does with a tag.
//
//	{"constraint": "^1.0.0", "versions": ["1.2.3"]} → {"matches": [true]}
func constraint(question json.RawMessage) (answer, error) {
	var q struct {
		Constraint string   `json:"constraint"`
		Versions   []string `json:"versions"`
	}
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	parsed, err := semver.NewConstraint(q.Constraint)
	if err != nil {
		return nil, err
	}
	matches := make([]bool, len(q.Versions))
	for i, v := range q.Versions {
		version, err := semver.NewVersion(v)
		if err != nil {
			return nil, fmt.Errorf("version %q: %w", v, err)
		}
		matches[i] = parsed.Check(version)
	}
	return answer{"matches": matches}, nil
}

// version is whether a selector takes a tag for a version, loosely and strictly.
//
//	"1.10" → {"loose": true, "strict": false}
func version(question json.RawMessage) (answer, error) {
	var q string
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	return answer{"loose": libsemver.Parse(q, false) != nil, "strict": libsemver.Parse(q, true) != nil}, nil
}

// pathPattern is which paths an entry of includePaths or excludePaths matches.
//
//	{"pattern": "glob:a/*", "paths": ["a/b", "c"]} → {"matches": [true, false]}
func pathPattern(question json.RawMessage) (answer, error) {
	var q struct {
		Pattern string   `json:"pattern"`
		Paths   []string `json:"paths"`
	}
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	matcher, err := pattern.ParsePathPattern(q.Pattern)
	if err != nil {
		return nil, err
	}
	matches := make([]bool, len(q.Paths))
	for i, path := range q.Paths {
		matches[i] = matcher.Matches(path)
	}
	return answer{"matches": matches}, nil
}

// duration is what becomes of a metav1.Duration that goes through Go and back.
//
//	"5m" → {"value": "5m0s"}
func duration(question json.RawMessage) (answer, error) {
	var q string
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(q)
	if err != nil {
		return nil, err
	}
	return answer{"value": d.String()}, nil
}

// compileRegexp compiles a regular expression the way Kargo's selectors do.
//
//	"^v" → {}
func compileRegexp(question json.RawMessage) (answer, error) {
	var q string
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	_, err := regexp.Compile(q)
	return nil, err
}

// yamlUpdate is the step of that name, without the file system. A value is
// what an evaluated config holds: a number is a float64 until the config is
// read again as YAML, which turns whole ones into integers.
//
//	{"text": "image:\n  tag: a\n", "updates": [{"key": "image.tag", "value": "b"}]}
//	→ {"text": "image:\n  tag: b\n"}
func yamlUpdate(question json.RawMessage) (answer, error) {
	var q struct {
		Text    string             `json:"text"`
		Updates []kargoyaml.Update `json:"updates"`
	}
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	for i, update := range q.Updates {
		value, err := throughYAML(update.Value)
		if err != nil {
			return nil, err
		}
		q.Updates[i].Value = value
	}
	text, err := kargoyaml.SetValuesInBytes([]byte(q.Text), q.Updates)
	if err != nil {
		return nil, err
	}
	return answer{"text": string(text)}, nil
}
