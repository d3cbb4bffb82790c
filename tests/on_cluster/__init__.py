"""A Kubernetes control plane on this machine, with a stand-in for Kargo, and what runs on it.

    python -m on_cluster up      builds what is missing, starts it, prints how to reach it
    python -m on_cluster down    stops it

The tests of this folder (marker `cluster`) start one of their own, and stop it. `KARGO_FLEET_TEST_KUBECONFIG` names a
cluster with the real Kargo instead: then nothing is started, and nothing stands in. docs/testing.md says more.
"""
