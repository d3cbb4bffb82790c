package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/argoproj/argo-cd/v3/applicationset/controllers"
	"github.com/argoproj/argo-cd/v3/applicationset/metrics"
	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/db"
	"github.com/argoproj/argo-cd/v3/util/settings"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// application is what a handover must not change, and what it is about.
type application struct {
	UID   string `json:"uid"`
	Owner string `json:"owner"`
}

// step is the state after something was done, and the errors of the reconciliations in it.
type step struct {
	Name         string                 `json:"name"`
	Errors       []string               `json:"errors"`
	Applications map[string]application `json:"applications"`
}

// handover runs Argo CD's ApplicationSet controller over a change from the sets in old to those in new: first with the old
// sets still there, then without them. The API server is controller-runtime's stand-in; there is no garbage collector.
func handover(repo string, old, new []string, out *json.Encoder) error {
	ctx := context.Background()
	reconciler, err := controller(ctx, repo)
	if err != nil {
		return err
	}
	before, err := loadSets(old)
	if err != nil {
		return err
	}
	after, err := loadSets(new)
	if err != nil {
		return err
	}
	steps := []step{}
	do := func(name string, sets []*v1alpha1.ApplicationSet, first func(*v1alpha1.ApplicationSet) error) error {
		done := step{Name: name, Errors: []string{}}
		for _, set := range sets {
			if first != nil {
				if err := first(set); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			if _, err := reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(set)}); err != nil {
				done.Errors = append(done.Errors, err.Error())
			}
		}
		if done.Applications, err = applications(ctx, reconciler.Client); err != nil {
			return err
		}
		steps = append(steps, done)
		return nil
	}
	create := func(set *v1alpha1.ApplicationSet) error { return reconciler.Create(ctx, set) }
	remove := func(set *v1alpha1.ApplicationSet) error { return reconciler.Delete(ctx, set) }
	for _, err := range []error{
		do("old sets", before, create),
		do("new sets, old ones still there", after, create),
		do("old sets deleted", before, remove),
		do("new sets again", after, nil),
	} {
		if err != nil {
			return err
		}
	}
	return out.Encode(steps)
}

func controller(ctx context.Context, repo string) (*controllers.ApplicationSetReconciler, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	labels := map[string]string{"app.kubernetes.io/part-of": "argocd"}
	kube := kubefake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "argocd-cm", Namespace: "argocd", Labels: labels}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "argocd-secret", Namespace: "argocd", Labels: labels}},
	)
	api := fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.ApplicationSet{}).
		WithIndex(&v1alpha1.Application{}, ".metadata.controller", owner).
		WithInterceptorFuncs(interceptor.Funcs{Create: createWithUID}).
		WithObjects(
			&v1alpha1.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "kargo-units", Namespace: "argocd"}},
		).Build()
	return &controllers.ApplicationSetReconciler{
		Client:               api,
		Scheme:               scheme,
		Recorder:             record.NewFakeRecorder(100_000),
		Generators:           generatorsOf(&checkout{dir: repo}, "argocd"),
		Renderer:             &utils.Render{},
		ArgoCDNamespace:      "argocd",
		ArgoDB:               db.NewDB("argocd", settings.NewSettingsManager(ctx, kube, "argocd"), kube),
		KubeClientset:        kube,
		Metrics:              metrics.NewFakeAppsetMetrics(),
		EnablePolicyOverride: true, // the default of the flag --enable-policy-override
	}, nil
}

// owner is the index that Argo CD's controller finds the Applications of a set by.
func owner(object client.Object) []string {
	if reference := metav1.GetControllerOf(object); reference != nil {
		return []string{reference.Name}
	}
	return nil
}

// createWithUID does what an API server does and the stand-in does not.
func createWithUID(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
	object.SetUID(uuid.NewUUID())
	return api.Create(ctx, object, options...)
}

func applications(ctx context.Context, api client.Client) (map[string]application, error) {
	var list v1alpha1.ApplicationList
	if err := api.List(ctx, &list); err != nil {
		return nil, err
	}
	found := map[string]application{}
	for _, app := range list.Items {
		found[app.Name] = application{UID: string(app.UID), Owner: slices.Concat(owner(&app), []string{""})[0]}
	}
	return found, nil
}

func loadSets(files []string) ([]*v1alpha1.ApplicationSet, error) {
	sets := []*v1alpha1.ApplicationSet{}
	for _, file := range files {
		set := &v1alpha1.ApplicationSet{}
		if err := load(file, set); err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}
