"""The manifests of many units, as `helm template` prints them, and their validation against Kargo's CRDs."""
