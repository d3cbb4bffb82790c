"""The load of a fleet of any size on Kargo, Argo CD, the registries, Git and etcd, compared with their limits.

`model` holds the formulas, `assumptions` the numbers of an installation or organisation, `facts` the inputs from the
fleet's values, `stored_objects` the objects in the cluster, `advice` the settings to change, `report` the output.
docs/scaling.md explains every formula and names its source.
"""
