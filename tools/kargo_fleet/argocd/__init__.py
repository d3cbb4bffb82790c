"""Argo CD's side of a fleet: AppProjects, ApplicationSets and health checks, as text.

Everything here is a pure function of fleet.yaml and the services' pipelines. Where a rule is Argo CD's, its source was
read and the tests run it: `applicationset/generators`, `applicationset/controllers`, `pkg/apis/application/v1alpha1` of
github.com/argoproj/argo-cd/v3 v3.5.7.
"""
