"""What a fleet of any size asks of Kargo, Argo CD, the registries, Git and etcd, and whether they can give it.

`model` holds the formulas, `assumptions` the numbers that are an installation's or an organisation's, `facts` what the
fleet's values come to, `objects` what it puts into the cluster, `advice` what to set, `report` how all that is shown.
docs/scaling.md explains every formula and names its source.
"""
