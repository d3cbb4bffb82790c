// A registry for the tests: see ../../on_cluster/binaries.py, which builds it. A module of its own, so that nothing else is built
// anew with it.
module kargo-fleet.test/registry

go 1.26.3

require github.com/google/go-containerregistry v0.22.1
