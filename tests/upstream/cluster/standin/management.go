package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// uncached are the kinds that are read from the API server, not from a cache that may be behind.
var uncached = []client.Object{
	&corev1.Namespace{}, &corev1.ServiceAccount{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{},
}

// setupProjects looks after Projects: pkg/controller/management/projects/projects.go.
func setupProjects(manager ctrl.Manager) error {
	p := &projects{api: manager.GetClient()}
	return ctrl.NewControllerManagedBy(manager).Named("projects").For(object("Project")).Complete(reconcile.Func(p.reconcile))
}

type projects struct{ api client.Client }

func (p *projects) reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	project := object("Project")
	if err := p.api.Get(ctx, request.NamespacedName, project); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if project.GetDeletionTimestamp() != nil {
		return ctrl.Result{}, p.cleanUp(ctx, project)
	}
	if controllerutil.AddFinalizer(project, finalizer) {
		if err := p.api.Update(ctx, project); err != nil {
			return ctrl.Result{}, err
		}
	}
	reason, err := p.setUp(ctx, project.GetName())
	ready := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Synced", Message: "Project is synced and ready for use"}
	if err != nil {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, reason, err.Error()
	}
	if statusErr := setConditions(ctx, p.api, project, ready); err == nil {
		err = statusErr
	}
	return ctrl.Result{RequeueAfter: 5 * time.Minute}, err
}

// cleanUp is what a Project's deletion takes along: cleanupProject.
func (p *projects) cleanUp(ctx context.Context, project *unstructured.Unstructured) error {
	name := metav1.ObjectMeta{Name: "kargo-project-admin-" + project.GetName()}
	for _, object := range []client.Object{&rbacv1.ClusterRoleBinding{ObjectMeta: name}, &rbacv1.ClusterRole{ObjectMeta: name}} {
		if err := client.IgnoreNotFound(p.api.Delete(ctx, object)); err != nil {
			return err
		}
	}
	namespace := &corev1.Namespace{}
	err := p.api.Get(ctx, client.ObjectKey{Name: project.GetName()}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		if err := letGo(ctx, p.api, namespace); err != nil {
			return err
		}
		keep := project.GetAnnotations()[annotationKeepNamespace] == "true" || namespace.Annotations[annotationKeepNamespace] == "true"
		if !keep {
			if err := client.IgnoreNotFound(p.api.Delete(ctx, namespace)); err != nil {
				return err
			}
		}
	}
	return letGo(ctx, p.api, project)
}

// setUp makes what every Project's namespace holds: syncProject. It returns the reason of its error.
func (p *projects) setUp(ctx context.Context, name string) (string, error) {
	if err := p.ensureNamespace(ctx, name); err != nil {
		return "EnsuringNamespaceFailed", fmt.Errorf("Failed to ensure existence of project namespace: %w", err)
	}
	for _, binding := range []*rbacv1.RoleBinding{
		bindingTo(name, "kargo-project-admin", "ClusterRole", "kargo-project-admin",
			serviceAccount(kargoNamespace, "kargo-api"), serviceAccount(kargoNamespace, "kargo-admin")),
		bindingTo(name, "kargo-project-secrets-reader", "ClusterRole", "kargo-project-secrets-reader",
			serviceAccount(kargoNamespace, "kargo-external-webhooks-server")),
	} {
		if err := p.ensure(ctx, binding); err != nil {
			return "EnsuringSystemPermissionsFailed", err
		}
	}
	for _, object := range defaultRoles(name) {
		if err := p.ensure(ctx, object); err != nil {
			return "EnsuringDefaultUserRoles", err
		}
	}
	return "", nil
}

func (p *projects) ensureNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{}
	err := p.api.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		namespace.Name, namespace.Labels = name, map[string]string{labelProject: "true"}
		controllerutil.AddFinalizer(namespace, finalizer)
		return p.api.Create(ctx, namespace)
	}
	if err != nil {
		return err
	}
	if namespace.Labels[labelProject] != "true" {
		return fmt.Errorf("namespace %q already exists and is not labeled as a Project namespace", name)
	}
	before := namespace.DeepCopy()
	if !controllerutil.AddFinalizer(namespace, finalizer) {
		return nil
	}
	return p.api.Patch(ctx, namespace, client.MergeFrom(before))
}

// ensure creates an object, or gives the one that is there the rules or subjects it should have.
func (p *projects) ensure(ctx context.Context, desired client.Object) error {
	existing := desired.DeepCopyObject().(client.Object)
	err := p.api.Get(ctx, client.ObjectKeyFromObject(desired), existing)
	if apierrors.IsNotFound(err) {
		return p.api.Create(ctx, desired)
	}
	if err != nil {
		return err
	}
	differs := false
	switch want := desired.(type) {
	case *rbacv1.Role:
		have := existing.(*rbacv1.Role)
		differs, have.Rules = !reflect.DeepEqual(have.Rules, want.Rules), want.Rules
	case *rbacv1.ClusterRole:
		have := existing.(*rbacv1.ClusterRole)
		differs, have.Rules = !reflect.DeepEqual(have.Rules, want.Rules), want.Rules
	case *rbacv1.RoleBinding:
		have := existing.(*rbacv1.RoleBinding)
		differs, have.Subjects = !reflect.DeepEqual(have.Subjects, want.Subjects), want.Subjects
	case *rbacv1.ClusterRoleBinding:
		have := existing.(*rbacv1.ClusterRoleBinding)
		differs, have.Subjects = !reflect.DeepEqual(have.Subjects, want.Subjects), want.Subjects
	}
	if !differs {
		return nil
	}
	return p.api.Update(ctx, existing)
}

// defaultRoles are who may do what in a Project: ensureDefaultUserRoles.
func defaultRoles(project string) []client.Object {
	const core, rbac, kargo, rollouts = "", rbacv1.GroupName, group, "argoproj.io"
	type list = []string
	look, all := list{"get", "list", "watch"}, list{"*"}
	rule := func(group string, resources, verbs list) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: list{group}, Resources: resources, Verbs: verbs}
	}
	access, config := list{"rolebindings", "roles"}, list{"configmaps", "events", "serviceaccounts"}
	rules := map[string][]rbacv1.PolicyRule{
		"kargo-admin": {
			rule(core, list{"events"}, look),
			rule(core, list{"configmaps", "secrets", "serviceaccounts"}, all),
			rule(rbac, access, all),
			rule(kargo, list{"freights", "projectconfigs", "promotiontasks", "stages", "warehouses"}, all),
			rule(kargo, list{"stages"}, list{"promote"}),
			rule(kargo, list{"promotions"}, list{"create", "delete", "get", "list", "watch", "patch"}),
			rule(kargo, list{"freights/status"}, list{"patch"}),
			rule(rollouts, list{"analysisruns"}, list{"delete", "get", "list", "watch"}),
			rule(rollouts, list{"analysistemplates"}, all),
		},
		"kargo-viewer": {
			rule(core, config, look),
			rule(rbac, access, look),
			rule(kargo, list{"freights", "promotions", "stages", "warehouses", "projectconfigs"}, look),
			rule(rollouts, list{"analysisruns", "analysistemplates"}, look),
		},
		"kargo-promoter": {
			rule(core, config, look),
			rule(rbac, access, look),
			rule(kargo, list{"freights", "stages", "warehouses", "projectconfigs"}, look),
			rule(kargo, list{"stages"}, list{"promote"}),
			rule(kargo, list{"promotions"}, list{"create", "get", "list", "watch"}),
			rule(kargo, list{"freights/status"}, list{"patch"}),
			rule(rollouts, list{"analysisruns", "analysistemplates"}, look),
		},
	}
	objects := []client.Object{}
	for _, name := range []string{"kargo-admin", "kargo-viewer", "kargo-promoter"} {
		metadata := metav1.ObjectMeta{Namespace: project, Name: name, Annotations: map[string]string{annotationManaged: "true"}}
		binding := bindingTo(project, name, "Role", name, serviceAccount(project, name))
		binding.Annotations = metadata.Annotations
		objects = append(objects,
			&corev1.ServiceAccount{ObjectMeta: metadata}, &rbacv1.Role{ObjectMeta: metadata, Rules: rules[name]}, binding)
	}
	own := metav1.ObjectMeta{Name: "kargo-project-admin-" + project}
	return append(objects,
		&rbacv1.ClusterRole{ObjectMeta: own, Rules: []rbacv1.PolicyRule{{
			APIGroups: list{kargo}, Resources: list{"projects"}, ResourceNames: list{project}, Verbs: list{"delete", "update"},
		}}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: own,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbac, Kind: "ClusterRole", Name: own.Name},
			Subjects:   []rbacv1.Subject{serviceAccount(project, "kargo-admin")},
		})
}

// setupNamespaces makes the deletion of a namespace delete its Project: pkg/controller/management/namespaces/namespaces.go.
func setupNamespaces(manager ctrl.Manager) error {
	api := manager.GetClient()
	return ctrl.NewControllerManagedBy(manager).Named("namespaces").For(&corev1.Namespace{}).Complete(reconcile.Func(
		func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			namespace := &corev1.Namespace{}
			if err := api.Get(ctx, request.NamespacedName, namespace); err != nil {
				return ctrl.Result{}, client.IgnoreNotFound(err)
			}
			if namespace.DeletionTimestamp == nil || !controllerutil.ContainsFinalizer(namespace, finalizer) {
				return ctrl.Result{}, nil
			}
			project := object("Project")
			project.SetName(namespace.Name)
			if err := client.IgnoreNotFound(api.Delete(ctx, project)); err != nil {
				return ctrl.Result{}, err
			}
			return ctrl.Result{}, letGo(ctx, api, namespace)
		}))
}

// setupProjectConfigs makes ProjectConfigs ready: pkg/controller/management/projectconfigs. Webhook receivers get no URL.
func setupProjectConfigs(manager ctrl.Manager) error {
	api := manager.GetClient()
	return ctrl.NewControllerManagedBy(manager).Named("projectconfigs").For(object("ProjectConfig")).Complete(reconcile.Func(
		func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			config := object("ProjectConfig")
			if err := api.Get(ctx, request.NamespacedName, config); err != nil {
				return ctrl.Result{}, client.IgnoreNotFound(err)
			}
			return ctrl.Result{}, setConditions(ctx, api, config, metav1.Condition{
				Type: "Ready", Status: metav1.ConditionTrue, Reason: "Synced", Message: "ProjectConfig is synced and ready for use",
			})
		}))
}

// setupStages gives Stages what they have before any Freight: pkg/controller/stages/regular_stages.go. They stay so, because
// nothing is promoted here. A status that somebody has written is left as it is.
func setupStages(manager ctrl.Manager) error {
	api := manager.GetClient()
	return ctrl.NewControllerManagedBy(manager).Named("stages").For(object("Stage")).Complete(reconcile.Func(
		func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			stage := object("Stage")
			if err := api.Get(ctx, request.NamespacedName, stage); err != nil {
				return ctrl.Result{}, client.IgnoreNotFound(err)
			}
			if stage.GetDeletionTimestamp() != nil {
				return ctrl.Result{}, letGo(ctx, api, stage)
			}
			if isSharded(stage) {
				return ctrl.Result{}, nil
			}
			before := stage.DeepCopy()
			if controllerutil.AddFinalizer(stage, finalizer) {
				return ctrl.Result{}, client.IgnoreNotFound(api.Patch(ctx, stage, client.MergeFrom(before)))
			}
			if summary, _, _ := unstructured.NestedString(stage.Object, "status", "freightSummary"); summary == "" {
				requested, _, _ := unstructured.NestedSlice(stage.Object, "spec", "requestedFreight")
				summary = fmt.Sprintf("0/%d Fulfilled", len(requested))
				if err := unstructured.SetNestedField(stage.Object, summary, "status", "freightSummary"); err != nil {
					return ctrl.Result{}, err
				}
				if err := api.Status().Patch(ctx, stage, client.MergeFrom(before)); err != nil {
					return ctrl.Result{}, client.IgnoreNotFound(err)
				}
			}
			return ctrl.Result{}, setFirstConditions(ctx, api, stage,
				metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "NoFreight", Message: "Stage has no current Freight"},
				metav1.Condition{Type: "Healthy", Status: metav1.ConditionUnknown, Reason: "NoFreight", Message: "Stage has no current Freight"},
				metav1.Condition{
					Type: "Verified", Status: metav1.ConditionUnknown, Reason: "NoFreight", Message: "Stage has no current Freight to verify",
				})
		}))
}

// setupWarehouses gives Warehouses what they have while no registry answers: pkg/controller/warehouses/warehouses.go.
func setupWarehouses(manager ctrl.Manager) error {
	api := manager.GetClient()
	return ctrl.NewControllerManagedBy(manager).Named("warehouses").For(object("Warehouse")).Complete(reconcile.Func(
		func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			warehouse := object("Warehouse")
			if err := api.Get(ctx, request.NamespacedName, warehouse); err != nil {
				return ctrl.Result{}, client.IgnoreNotFound(err)
			}
			if warehouse.GetDeletionTimestamp() != nil || isSharded(warehouse) {
				return ctrl.Result{}, nil
			}
			subscriptions, _, _ := unstructured.NestedSlice(warehouse.Object, "spec", "subscriptions")
			const problem = "error discovering artifacts: the stand-in for Kargo asks no registry"
			return ctrl.Result{}, setFirstConditions(ctx, api, warehouse,
				metav1.Condition{
					Type: "Reconciling", Status: metav1.ConditionTrue, Reason: "ScheduledDiscovery",
					Message: fmt.Sprintf("Discovering artifacts for %d subscriptions", len(subscriptions)),
				},
				metav1.Condition{
					Type: "Ready", Status: metav1.ConditionFalse, Reason: "DiscoveryFailure", Message: "Artifact discovery failed: " + problem,
				},
				metav1.Condition{
					Type: "Healthy", Status: metav1.ConditionFalse, Reason: "DiscoveryFailed", Message: "Unable to discover artifacts: " + problem,
				})
		}))
}

// isSharded says whether an object is left to the controller of a shard, which does not run here.
func isSharded(object *unstructured.Unstructured) bool {
	shard, _, _ := unstructured.NestedString(object.Object, "spec", "shard")
	return shard != ""
}

// setFirstConditions writes the conditions of an object that has none, or brings its own up to a changed spec. Those that
// somebody else has written stay.
func setFirstConditions(ctx context.Context, api client.Client, object *unstructured.Unstructured, conditions ...metav1.Condition) error {
	found, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range found {
		written, _ := condition.(fields)
		_, observed := written["observedGeneration"]
		ours := slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == written["type"] && c.Reason == written["reason"] })
		if !observed || !ours {
			return nil
		}
	}
	return setConditions(ctx, api, object, conditions...)
}

// letGo takes Kargo's finalizer off an object.
func letGo(ctx context.Context, api client.Client, object client.Object) error {
	before := object.DeepCopyObject().(client.Object)
	if !controllerutil.RemoveFinalizer(object, finalizer) {
		return nil
	}
	return client.IgnoreNotFound(api.Patch(ctx, object, client.MergeFrom(before)))
}

// setConditions writes conditions to an object's status, if they are news.
func setConditions(ctx context.Context, api client.Client, object *unstructured.Unstructured, conditions ...metav1.Condition) error {
	before := object.DeepCopy()
	var status struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	current, _, err := unstructured.NestedMap(object.Object, "status")
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(current, &status); err != nil {
		return err
	}
	news := false
	for _, condition := range conditions {
		condition.ObservedGeneration = object.GetGeneration()
		news = meta.SetStatusCondition(&status.Conditions, condition) || news
	}
	if !news {
		return nil
	}
	written, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(object.Object, written["conditions"], "status", "conditions"); err != nil {
		return err
	}
	// Not over a status that was written meanwhile.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return client.IgnoreNotFound(api.Status().Patch(ctx, object, patch))
}
