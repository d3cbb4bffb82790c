"""What Kargo, Kubernetes and Argo CD say about the objects that this product makes.

`upstream` gets their files and their verdicts at pinned versions, `schemas` makes closed JSON Schemas of them,
`expressions` looks into `${{ }}`, `kargo` puts it together: `problems(obj)`, `unit_problems(objects)`, `stored(obj)`.
"""
