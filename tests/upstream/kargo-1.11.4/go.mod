// The newest patch release of Kargo: `make test` runs the contract tests against it, too. Beside it, oracle.mod builds the oracle of it.
module kargo-fleet.invalid/tests/upstream/kargo-1.11.4

go 1.21

require (
	github.com/akuity/kargo v1.11.4
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/argoproj/argo-rollouts v1.9.1
	k8s.io/kubectl v0.37.1
)
