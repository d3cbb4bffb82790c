package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// validate is a validating webhook of one of the namespaced kinds: it asks for a Project's namespace, and then `check`.
func validate(api client.Client, check func(fields) field.ErrorList) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, request admission.Request) admission.Response {
		var obj fields
		if err := json.Unmarshal(request.Object.Raw, &obj); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		found := field.ErrorList{}
		if request.Operation == admissionv1.Create {
			problem, err := inProject(ctx, api, request.Namespace)
			if err != nil {
				return refuse(err)
			}
			found = append(found, problem...)
		}
		if found = append(found, check(obj)...); len(found) > 0 {
			kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
			return refuse(apierrors.NewInvalid(kind, request.Name, found))
		}
		return admission.Allowed("")
	})
}

// inProject asks whether a namespace is a Project's: pkg/webhook/kubernetes/project.go.
func inProject(ctx context.Context, api client.Client, name string) (field.ErrorList, error) {
	var namespace corev1.Namespace
	if err := api.Get(ctx, client.ObjectKey{Name: name}, &namespace); apierrors.IsNotFound(err) {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "Namespace"}, name)
	} else if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if namespace.Labels[labelProject] == "true" {
		return nil, nil
	}
	path := field.NewPath("metadata", "namespace")
	return field.ErrorList{field.Invalid(path, name, fmt.Sprintf("namespace %q is not a project", name))}, nil
}

// refuse answers with an error's own status: a 409 stays a 409.
func refuse(err error) admission.Response {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	result := status.Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: false, Result: &result}}
}

// projectHandler is pkg/webhook/kubernetes/project/webhook.go.
type projectHandler struct {
	api  client.Client
	race int

	mutex      sync.Mutex
	seen       int
	overlooked map[string]bool
}

func (h *projectHandler) Handle(ctx context.Context, request admission.Request) admission.Response {
	if request.Operation != admissionv1.Create || (request.DryRun != nil && *request.DryRun) {
		return admission.Allowed("")
	}
	if err := h.ensureNamespace(ctx, request.Name); err != nil {
		return refuse(err)
	}
	binding := bindingTo(request.Name, "kargo-project-admin", "ClusterRole", "kargo-project-admin",
		serviceAccount(kargoNamespace, "kargo-api"), serviceAccount(kargoNamespace, "kargo-admin"))
	if err := h.api.Create(ctx, binding); err != nil && !apierrors.IsAlreadyExists(err) {
		return refuse(apierrors.NewInternalError(
			fmt.Errorf("error creating role binding %q in project namespace %q: %w", binding.Name, request.Name, err)))
	}
	return admission.Allowed("")
}

func (h *projectHandler) ensureNamespace(ctx context.Context, name string) error {
	conflict := func(text string) error {
		return apierrors.NewConflict(schema.GroupResource{Group: group, Resource: "projects"}, name,
			fmt.Errorf("failed to initialize Project %q because namespace %q "+text, name, name))
	}
	var namespace corev1.Namespace
	err := h.api.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return apierrors.NewInternalError(fmt.Errorf("error getting namespace %q: %w", name, err))
	case err == nil && !h.overlooks(name):
		if namespace.Labels[labelProject] != "true" {
			return conflict("already exists and is not labeled as a Project namespace")
		}
		if namespace.DeletionTimestamp != nil {
			return conflict("is still being terminated; please try again after the namespace has been fully deleted")
		}
		return nil
	}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{labelProject: "true"}, Finalizers: []string{finalizer},
	}}
	if err := h.api.Create(ctx, made); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("error creating namespace %q: %w", name, err))
	}
	return nil
}

// overlooks plays the race: Kargo's cache has not heard of a namespace yet that is milliseconds old, and the next request, a
// moment later, succeeds. It happens once to every nth Project (--race).
func (h *projectHandler) overlooks(name string) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.race == 0 || h.overlooked[name] {
		return false
	}
	if h.seen++; h.seen%h.race != 0 {
		return false
	}
	if h.overlooked == nil {
		h.overlooked = map[string]bool{}
	}
	h.overlooked[name] = true
	return true
}

var (
	imageURL = regexp.MustCompile(`^(\w+([.-]\w+)*(:\d+)?/)?\w+([.-]\w+)*(/\w+([.-]\w+)*)*$`)
	gitURL   = regexp.MustCompile(`^(ssh|https?)://([\w-]+(:.+)?@)?[\w-]+(\.[\w-]+)*(:\d{1,5})?/|^[\w-]+@[\w+]+(\.[\w-]+)*:`)
	chartURL = regexp.MustCompile(`^(https?|oci)://[\w.-]+(:\d+)?(/.*)*$`)
)

// pkg/webhook/kubernetes/warehouse/webhook.go; pkg/subscription/{image,git,chart}.go, ValidateSubscription.
func validateWarehouse(obj fields) field.ErrorList {
	found := field.ErrorList{}
	seen := map[string]bool{}
	for i, subscription := range each(at(obj, "spec"), "subscriptions") {
		path := field.NewPath("spec", "subscriptions").Index(i)
		for _, kind := range []string{"image", "git", "chart"} {
			sub, ok := subscription[kind].(fields)
			if !ok {
				continue
			}
			here := path.Child(kind)
			found = append(found, validateSubscription(here, kind, sub)...)
			id := strings.TrimSuffix(strings.TrimSuffix(lower(text(sub, "repoURL")), "/"), ".git")
			id = kind + " " + id + " " + text(sub, "name")
			if seen[id] {
				found = append(found, field.Invalid(here, sub["repoURL"], "subscription for repository already exists"))
			}
			seen[id] = true
		}
	}
	return found
}

func validateSubscription(path *field.Path, kind string, sub fields) field.ErrorList {
	found := field.ErrorList{}
	url, strategy := text(sub, "repoURL"), text(sub, "imageSelectionStrategy")
	forms := map[string]struct {
		form *regexp.Regexp
		word string
	}{"image": {imageURL, "image"}, "git": {gitURL, "Git"}, "chart": {chartURL, "Helm"}}
	if !forms[kind].form.MatchString(url) {
		found = append(found,
			field.Invalid(path.Child("repoURL"), url, fmt.Sprintf("must be a valid %s repository URL", forms[kind].word)))
	}
	key := "semverConstraint"
	switch kind {
	case "image":
		key = "constraint"
		if strategies := []string{"Digest", "Lexical", "NewestBuild", "SemVer"}; !slices.Contains(strategies, strategy) {
			found = append(found, field.NotSupported(path.Child("imageSelectionStrategy"), strategy, strategies))
		}
		if strategy == "Digest" && text(sub, key) == "" {
			found = append(found, field.Invalid(path.Child(key), "", "must be set when imageSelectionStrategy is Digest"))
		}
	case "chart":
		if named := text(sub, "name") != ""; named == strings.HasPrefix(url, "oci://") {
			found = append(found, field.Invalid(path.Child("name"), sub["name"], "goes with http(s)://, and not with oci://"))
		}
	}
	if constraint := text(sub, key); constraint != "" && (kind != "image" || strategy == "SemVer") {
		if _, err := semver.NewConstraint(constraint); err != nil {
			found = append(found, field.Invalid(path.Child(key), constraint, err.Error()))
		}
	}
	if limit, ok := sub["discoveryLimit"].(float64); ok && (limit < 1 || limit > 100) {
		found = append(found, field.Invalid(path.Child("discoveryLimit"), limit, "must be from 1 to 100"))
	}
	return found
}

// pkg/webhook/kubernetes/stage/webhook.go. It accepts unknown steps, Warehouses and upstream Stages, as Kargo does.
func validateStage(obj fields) field.ErrorList {
	found := field.ErrorList{}
	seen := map[string]bool{}
	for i, request := range each(at(obj, "spec"), "requestedFreight") {
		origin := at(request, "origin")
		id := text(origin, "kind") + "/" + text(origin, "name")
		if seen[id] {
			found = append(found, field.Invalid(field.NewPath("spec", "requestedFreight").Index(i), id, "is requested twice"))
		}
		seen[id] = true
	}
	return found
}

// pkg/webhook/kubernetes/projectconfig/webhook.go.
func validateProjectConfig(obj fields) field.ErrorList {
	found := field.ErrorList{}
	metadata := at(obj, "metadata")
	if name, namespace := text(metadata, "name"), text(metadata, "namespace"); name != namespace {
		found = append(found, field.Invalid(field.NewPath("metadata", "name"), name,
			fmt.Sprintf("name %q must match project name %q", name, namespace)))
	}
	seen := map[string]bool{}
	for i, policy := range each(at(obj, "spec"), "promotionPolicies") {
		name := text(at(policy, "stageSelector"), "name")
		if name != "" && seen[name] {
			found = append(found, field.Invalid(field.NewPath("spec", "promotionPolicies").Index(i), name, "is already defined"))
		}
		seen[name] = true
	}
	return found
}

func serviceAccount(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}
}

func bindingTo(namespace, name, kind, role string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects:   subjects,
	}
}
