package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

type fields = map[string]any

// mutate is a mutating webhook that changes a copy of the object. Kargo's webhooks decode the object into Go's types and
// encode it again: what is written here in `change` is everything that comes out differently. Removals that come from decoding
// and encoding alone (unknown fields, zero values) are not part of the patch: controller-runtime v0.22, dropSchemeRemovals.
func mutate(change func(fields) error) admission.Handler {
	return admission.HandlerFunc(func(_ context.Context, request admission.Request) admission.Response {
		var obj fields
		if err := json.Unmarshal(request.Object.Raw, &obj); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if err := change(obj); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		changed, err := json.Marshal(obj)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return admission.PatchResponseFromRaw(request.Object.Raw, changed)
	})
}

// pkg/webhook/kubernetes/warehouse/webhook.go, Default; pkg/subscription/{image,git,chart}.go, ApplySubscriptionDefaults.
func defaultWarehouse(obj fields) error {
	spec := at(obj, "spec")
	followShard(obj, spec)
	if err := normalise(spec, "interval"); err != nil {
		return err
	}
	for _, subscription := range each(spec, "subscriptions") {
		for _, kind := range []string{"image", "git", "chart"} {
			sub, ok := subscription[kind].(fields)
			if !ok {
				continue
			}
			switch kind {
			case "image":
				unless(sub, "imageSelectionStrategy", "SemVer")
				unless(sub, "strictSemvers", true)
			case "git":
				unless(sub, "commitSelectionStrategy", "NewestFromBranch")
				unless(sub, "strictSemvers", true)
				if text, ok := sub["since"].(string); ok {
					since, err := time.Parse(time.RFC3339, text)
					if err != nil {
						return err
					}
					sub["since"] = since.UTC().Format(time.RFC3339)
				}
			}
			unless(sub, "discoveryLimit", 20)
		}
	}
	return nil
}

// pkg/webhook/kubernetes/stage/webhook.go, Default.
func defaultStage(obj fields) error {
	spec := at(obj, "spec")
	followShard(obj, spec)
	for _, request := range each(spec, "requestedFreight") {
		if err := normalise(at(request, "sources"), "requiredSoakTime"); err != nil {
			return err
		}
	}
	for _, step := range each(at(at(spec, "promotionTemplate"), "spec"), "steps") {
		if err := normalise(at(step, "retry"), "timeout"); err != nil {
			return err
		}
	}
	return nil
}

// followShard makes the label follow spec.shard.
func followShard(obj, spec fields) {
	metadata := at(obj, "metadata")
	labels, _ := metadata["labels"].(fields)
	if shard, _ := spec["shard"].(string); shard != "" {
		if labels == nil {
			labels = fields{}
			metadata["labels"] = labels
		}
		labels[labelShard] = shard
	} else {
		delete(labels, labelShard)
	}
}

// unless sets a default; a zero counts as nothing, but false is a value.
func unless(obj fields, key string, value any) {
	switch present := obj[key]; present {
	case nil, "", 0.0:
		obj[key] = value
	}
}

// normalise writes a duration as metav1.Duration is written: 1h → 1h0m0s.
func normalise(obj fields, key string) error {
	if obj[key] == nil {
		return nil
	}
	text, err := json.Marshal(obj[key])
	if err != nil {
		return err
	}
	var duration metav1.Duration
	if err := json.Unmarshal(text, &duration); err != nil {
		return err
	}
	obj[key] = duration.Duration.String()
	return nil
}

// at is the map under a key; an empty one, not attached, if there is none.
func at(obj fields, key string) fields {
	if inner, ok := obj[key].(fields); ok {
		return inner
	}
	return fields{}
}

// each is the list of maps under a key.
func each(obj fields, key string) []fields {
	list, _ := obj[key].([]any)
	found := []fields{}
	for _, item := range list {
		if inner, ok := item.(fields); ok {
			found = append(found, inner)
		}
	}
	return found
}

func text(obj fields, key string) string {
	value, _ := obj[key].(string)
	return value
}

func lower(text string) string { return strings.ToLower(text) }
