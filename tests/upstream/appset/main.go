// Command appset runs Argo CD's own code over manifests, without a cluster.
//
//	appset render  -repo DIR FILE…       Applications that the ApplicationSets in FILE… generate from the checkout DIR
//	appset health  -config FILE OBJECT…  health of each object under the argocd-cm in FILE
//	appset permits -project FILE         reads questions from stdin, one JSON object a line, and answers true or false
//	appset handover -repo DIR -old FILE,… FILE…
//	                                     owners of the Applications while the sets in -old are replaced by those in FILE…
//
// Every answer is JSON on stdout.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v3/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v3/applicationset/generators"
	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

func main() {
	log.SetOutput(io.Discard)
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "appset:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: appset render|health|permits|handover …")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	repo := flags.String("repo", ".", "the checkout that git generators see")
	config := flags.String("config", "", "a ConfigMap argocd-cm")
	project := flags.String("project", "", "an AppProject")
	old := flags.String("old", "", "ApplicationSets, separated by commas")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	out := json.NewEncoder(stdout)
	switch args[0] {
	case "render":
		sets := []rendered{}
		for _, file := range flags.Args() {
			set, err := render(*repo, file)
			if err != nil {
				return err
			}
			sets = append(sets, set)
		}
		return out.Encode(sets)
	case "health":
		return healthOf(*config, flags.Args(), out)
	case "permits":
		return permits(*project, stdin, out)
	case "handover":
		return handover(*repo, strings.Split(*old, ","), flags.Args(), out)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// --- render ---

type rendered struct {
	Name         string                 `json:"name"`
	Seconds      float64                `json:"seconds"`
	Calls        int                    `json:"repoCalls"`
	Error        string                 `json:"error,omitempty"`
	Applications []v1alpha1.Application `json:"applications"`
}

// checkout stands in for Argo CD's repo-server: it lists the folders of a working tree by the same rules
// (reposerver/repository/repository.go, GetGitDirectories) and has no files to give.
type checkout struct {
	dir   string
	calls int
}

func (c *checkout) GetDirectories(context.Context, string, string, string, bool, *v1alpha1.SourceIntegrity) ([]string, error) {
	c.calls++
	paths := []string{}
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir() || path == c.dir:
			return nil
		case strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		}
		relative, err := filepath.Rel(c.dir, path)
		paths = append(paths, relative)
		return err
	})
	return paths, err
}

func (c *checkout) GetFiles(context.Context, string, string, string, string, bool, *v1alpha1.SourceIntegrity) (map[string][]byte, error) {
	return nil, errors.New("the set reads file contents")
}

// anyProject answers the one question that a git generator asks the cluster: does the AppProject exist?
type anyProject struct{ client.Client }

func (anyProject) Get(_ context.Context, key types.NamespacedName, object client.Object, _ ...client.GetOption) error {
	object.SetName(key.Name)
	object.SetNamespace(key.Namespace)
	return nil
}

func render(repo, file string) (rendered, error) {
	var set v1alpha1.ApplicationSet
	if err := load(file, &set); err != nil {
		return rendered{}, err
	}
	repos := &checkout{dir: repo}
	known := generatorsOf(repos, set.Namespace)
	start := time.Now()
	apps, _, err := template.GenerateApplications(log.NewEntry(log.StandardLogger()), set, known, &utils.Render{}, anyProject{})
	result := rendered{Name: set.Name, Seconds: time.Since(start).Seconds(), Calls: repos.calls, Applications: apps}
	if err != nil {
		result.Error = err.Error()
	}
	return result, nil
}

func generatorsOf(repos *checkout, namespace string) map[string]generators.Generator {
	return map[string]generators.Generator{
		"Git":  generators.NewGitGenerator(repos, namespace),
		"List": generators.NewListGenerator(),
	}
}

// --- health ---

type verdict struct {
	File    string `json:"file"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

func healthOf(config string, files []string, out *json.Encoder) error {
	overrides, err := healthOverrides(config)
	if err != nil {
		return err
	}
	verdicts := []verdict{}
	for _, file := range files {
		var object map[string]any
		if err := load(file, &object); err != nil {
			return err
		}
		status, err := overrides.GetResourceHealth(&unstructured.Unstructured{Object: object})
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		case status == nil:
			verdicts = append(verdicts, verdict{File: file})
		default:
			verdicts = append(verdicts, verdict{File: file, Status: string(status.Status), Message: status.Message})
		}
	}
	return out.Encode(verdicts)
}

// healthOverrides reads the keys resource.customizations.health.<group>_<kind>, as util/settings does.
func healthOverrides(config string) (lua.ResourceHealthOverrides, error) {
	var configMap corev1.ConfigMap
	if err := load(config, &configMap); err != nil {
		return nil, err
	}
	overrides := lua.ResourceHealthOverrides{}
	for key, script := range configMap.Data {
		if kind, ok := strings.CutPrefix(key, "resource.customizations.health."); ok {
			overrides[strings.Replace(kind, "_", "/", 1)] = v1alpha1.ResourceOverride{HealthLua: script}
		}
	}
	return overrides, nil
}

// --- permits ---

// question asks one thing of an AppProject, depending on which fields are set.
type question struct {
	Server, ClusterName, Namespace string // may Applications go there?
	Group, Kind, Name              string // may they hold this object?
	RepoURL                        string // may they come from here?
}

func permits(file string, stdin io.Reader, out *json.Encoder) error {
	var project v1alpha1.AppProject
	if err := load(file, &project); err != nil {
		return err
	}
	if err := project.ValidateProject(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		answer, err := permitted(project, q)
		if err != nil {
			return err
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func permitted(project v1alpha1.AppProject, q question) (bool, error) {
	noClusters := func(string) ([]*v1alpha1.Cluster, error) { return nil, nil }
	cluster := &v1alpha1.Cluster{Server: q.Server, Name: q.ClusterName}
	switch {
	case q.RepoURL != "":
		return project.IsSourcePermitted(v1alpha1.ApplicationSource{RepoURL: q.RepoURL}), nil
	case q.Kind != "":
		kind := schema.GroupKind{Group: q.Group, Kind: q.Kind}
		return project.IsResourcePermitted(kind, q.Name, q.Namespace, cluster, noClusters)
	default:
		return project.IsDestinationPermitted(cluster, q.Namespace, noClusters)
	}
}

func load(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
