// Where the tests take upstream's files from: no Go here, see ../contract/upstream.py.
// A new version: edit it here, empty go.sum, then
//	go mod download github.com/akuity/kargo github.com/argoproj/argo-cd/v3 github.com/argoproj/argo-rollouts k8s.io/kubectl
module kargo-fleet.invalid/tests/upstream

go 1.21

require (
	github.com/akuity/kargo v1.11.2
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/argoproj/argo-rollouts v1.9.1
	k8s.io/kubectl v0.37.1
)
