{{/*
What stands beside the pipeline: AnalysisTemplates, PromotionTasks and objects of other kinds. They are rendered as they are
stored: without nulls, which the API server drops, and with the defaults that it adds to the items of lists.
*/}}

{{/*
Removes the keys that are null from a value and from all that is in it, in place. Takes any value; returns nothing.
*/}}
{{- define "kargo-service.dropNulls" -}}
{{- $value := . -}}
{{- range $key, $inner := ternary . dict (or (kindIs "map" .) (kindIs "slice" .)) -}}
  {{- if kindIs "invalid" $inner -}}
    {{- if kindIs "map" $value }}{{ $_ := unset $value $key }}{{ end -}}
  {{- else }}{{ include "kargo-service.dropNulls" $inner }}{{ end -}}
{{- end -}}
{{- end -}}

{{/*
An AnalysisTemplate's spec as it is stored: the defaults are those of Argo Rollouts' CRD. Takes the spec. Returns YAML, a map.
*/}}
{{- define "kargo-service.analysisTemplate" -}}
{{- $spec := deepCopy . -}}
{{- include "kargo-service.dropNulls" $spec -}}
{{- range $spec.metrics -}}
  {{- with .provider.datadog }}{{ $_ := merge . (dict "apiVersion" "v1" "interval" "5m") }}{{ end -}}
  {{- $pod := ((((.provider.job).spec).template).spec) | default dict -}}
  {{- range $key := list "containers" "initContainers" "ephemeralContainers" -}}
    {{- range $container := get $pod $key | default list -}}
      {{- range .ports }}{{ $_ := set . "protocol" (.protocol | default "TCP") }}{{ end -}}
      {{- range $probe := list "livenessProbe" "readinessProbe" "startupProbe" -}}
        {{- with (get $container $probe | default dict).grpc }}{{ $_ := set . "service" (.service | default "") }}{{ end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}

{{/*
The variables of a PromotionTask. One without a value is required; in Kargo's list it has no value. Takes a map, a list or nothing.
Returns lines of YAML, a list; nothing when there are none.
*/}}
{{- define "kargo-service.taskVars" -}}
{{- range $key, $given := . }}
{{- $name := $key }}
{{- $value := $given }}
{{- if kindIs "map" $given }}
{{- $name = $given.name }}
{{- $value = $given.value }}
{{- end }}
- name: {{ toYaml $name }}
  {{- with $value }}
  value: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
The kinds that extraObjects never has, as kind.group, by the reason: what is to be used instead, or what they are. kargo-fleet has
the same list (tools/kargo_fleet/fleet/object_kinds.py); tests/fleet/test_object_kinds.py compares the two. Takes anything.
Returns YAML, a map.
*/}}
{{- define "kargo-service.forbiddenKinds" -}}
use analysisTemplates: AnalysisTemplate.argoproj.io
use namespace: Namespace
use project: Project.kargo.akuity.io
use projectConfig: ProjectConfig.kargo.akuity.io
use promotionTasks: PromotionTask.kargo.akuity.io
use rbac.bindings: Role.rbac.authorization.k8s.io RoleBinding.rbac.authorization.k8s.io ServiceAccount
use resourceQuota: ResourceQuota
use stages: Stage.kargo.akuity.io
use warehouses: Warehouse.kargo.akuity.io
it is created by Kargo: Freight.kargo.akuity.io Promotion.kargo.akuity.io
it would keep secrets in Git: Secret
it is a list of objects: List
it is cluster-scoped: >-
  APIService.apiregistration.k8s.io
  CertificateSigningRequest.certificates.k8s.io
  ClusterAnalysisTemplate.argoproj.io
  ClusterConfig.kargo.akuity.io
  ClusterExternalSecret.external-secrets.io
  ClusterIssuer.cert-manager.io
  ClusterPolicy.kyverno.io
  ClusterPromotionTask.kargo.akuity.io
  ClusterRole.rbac.authorization.k8s.io
  ClusterRoleBinding.rbac.authorization.k8s.io
  ClusterSecretStore.external-secrets.io
  ClusterTrustBundle.certificates.k8s.io
  ComponentStatus
  CSIDriver.storage.k8s.io
  CSINode.storage.k8s.io
  CustomResourceDefinition.apiextensions.k8s.io
  DeviceClass.resource.k8s.io
  FlowSchema.flowcontrol.apiserver.k8s.io
  GatewayClass.gateway.networking.k8s.io
  IngressClass.networking.k8s.io
  IPAddress.networking.k8s.io
  MutatingAdmissionPolicy.admissionregistration.k8s.io
  MutatingAdmissionPolicyBinding.admissionregistration.k8s.io
  MutatingWebhookConfiguration.admissionregistration.k8s.io
  Node
  PersistentVolume
  PriorityClass.scheduling.k8s.io
  PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io
  ResourceSlice.resource.k8s.io
  RuntimeClass.node.k8s.io
  ServiceCIDR.networking.k8s.io
  StorageClass.storage.k8s.io
  ValidatingAdmissionPolicy.admissionregistration.k8s.io
  ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io
  ValidatingWebhookConfiguration.admissionregistration.k8s.io
  VolumeAttachment.storage.k8s.io
  VolumeAttributesClass.storage.k8s.io
{{- end -}}
