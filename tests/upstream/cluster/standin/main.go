// Command standin is a stand-in for Kargo's webhooks and management controller, for a test cluster without Kargo.
//
// Kargo itself cannot be built from the Go module proxy. What a chart and Argo CD notice of it is little: what its webhooks
// refuse, what they rewrite, what a Project's namespace is given, and what Stages and Warehouses say before any Freight. That
// is written here a second time, from Kargo's rules (v1.11.2; the functions name the file where each rule is). It promotes
// nothing and asks no registry.
//
// The tests run against a cluster with the real Kargo as well; then this is not used. See tests/on_cluster.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const (
	group     = "kargo.akuity.io"
	version   = "v1alpha1"
	finalizer = "kargo.akuity.io/finalizer"

	labelProject            = "kargo.akuity.io/project"
	labelShard              = "kargo.akuity.io/shard"
	annotationKeepNamespace = "kargo.akuity.io/keep-namespace"
	annotationManaged       = "rbac.kargo.akuity.io/managed"

	kargoNamespace = "kargo"
)

type options struct {
	kubeconfig, address, certificates string
	race                              int
}

func main() {
	var o options
	// Not the flags of the process: controller-runtime has a --kubeconfig of its own there.
	flags := flag.NewFlagSet("standin", flag.ExitOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "of the cluster to stand in for Kargo on")
	flags.StringVar(&o.address, "address", "", "host:port that the webhooks are served at")
	flags.StringVar(&o.certificates, "certificates", "", "folder with ca.crt, server.crt and server.key")
	flags.IntVar(&o.race, "race", 0, "overlook the namespace, as Kargo sometimes does, at every nth Project that is new; 0: never")
	_ = flags.Parse(os.Args[1:])
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	ctrl.SetLogger(klog.Background())
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	host, portText, err := net.SplitHostPort(o.address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 clientgoscheme.Scheme,
		Metrics:                server.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: host, Port: port, CertDir: o.certificates, CertName: "server.crt", KeyName: "server.key",
		}),
		// The manager's cache may lag behind, and Kargo's does; the races of a test should be those that it asked for.
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: false, DisableFor: uncached}},
	})
	if err != nil {
		return err
	}
	hooks := hooks(manager.GetClient(), o.race)
	for _, hook := range hooks {
		manager.GetWebhookServer().Register(hook.path(), &webhook.Admission{Handler: hook.handler})
	}
	for _, setup := range []func(ctrl.Manager) error{setupProjects, setupNamespaces, setupProjectConfigs, setupStages, setupWarehouses} {
		if err := setup(manager); err != nil {
			return err
		}
	}
	authority, err := os.ReadFile(filepath.Join(o.certificates, "ca.crt"))
	if err != nil {
		return err
	}
	direct, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		return err
	}
	if err := registerHooks(ctx, direct, hooks, "https://"+o.address, authority); err != nil {
		return err
	}
	return manager.Start(ctx)
}

// hook is one webhook of Kargo's (charts/kargo/templates/kubernetes-webhooks-server/webhooks.yaml).
type hook struct {
	mutating bool
	kind     string
	resource string
	scope    admissionv1.ScopeType
	effects  admissionv1.SideEffectClass
	handler  admission.Handler
}

func (h hook) path() string {
	if h.mutating {
		return "/mutate-" + h.resource
	}
	return "/validate-" + h.resource
}

func hooks(api client.Client, race int) []hook {
	namespaced, cluster := admissionv1.NamespacedScope, admissionv1.ClusterScope
	none, noneOnDryRun := admissionv1.SideEffectClassNone, admissionv1.SideEffectClassNoneOnDryRun
	return []hook{
		{true, "Warehouse", "warehouses", namespaced, none, mutate(defaultWarehouse)},
		{true, "Stage", "stages", namespaced, none, mutate(defaultStage)},
		{false, "Project", "projects", cluster, noneOnDryRun, &projectHandler{api: api, race: race}},
		{false, "ProjectConfig", "projectconfigs", namespaced, noneOnDryRun, validate(api, validateProjectConfig)},
		{false, "Warehouse", "warehouses", namespaced, none, validate(api, validateWarehouse)},
		{false, "Stage", "stages", namespaced, none, validate(api, validateStage)},
	}
}

// registerHooks tells the API server, under the names of Kargo's own configurations.
func registerHooks(ctx context.Context, api client.Client, hooks []hook, url string, authority []byte) error {
	mutating := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kargo"}}
	validating := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kargo"}}
	var mutatingHooks []admissionv1.MutatingWebhook
	var validatingHooks []admissionv1.ValidatingWebhook
	fail := admissionv1.Fail
	for _, h := range hooks {
		name, at := fmt.Sprintf("%s.%s", lower(h.kind), group), url+h.path()
		config := admissionv1.WebhookClientConfig{URL: &at, CABundle: authority}
		rules := []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
			Rule: admissionv1.Rule{
				APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{h.resource}, Scope: &h.scope,
			},
		}}
		if h.mutating {
			mutatingHooks = append(mutatingHooks, admissionv1.MutatingWebhook{
				Name: name, ClientConfig: config, Rules: rules, FailurePolicy: &fail, SideEffects: &h.effects,
				AdmissionReviewVersions: []string{"v1"},
			})
		} else {
			validatingHooks = append(validatingHooks, admissionv1.ValidatingWebhook{
				Name: name, ClientConfig: config, Rules: rules, FailurePolicy: &fail, SideEffects: &h.effects,
				AdmissionReviewVersions: []string{"v1"},
			})
		}
	}
	if _, err := controllerutil.CreateOrUpdate(ctx, api, mutating, func() error {
		mutating.Webhooks = mutatingHooks
		return nil
	}); err != nil {
		return err
	}
	_, err := controllerutil.CreateOrUpdate(ctx, api, validating, func() error {
		validating.Webhooks = validatingHooks
		return nil
	})
	return err
}

// object is an empty object of one of Kargo's kinds.
func object(kind string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
	return o
}
