"""The manifests of many units, as `helm template` prints them, and what Kargo's CRDs say of them."""
