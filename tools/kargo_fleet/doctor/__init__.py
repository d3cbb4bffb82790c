"""Problems in the cluster and their fixes: `cluster` reads the objects, the modules here check them.

A check is a pure function of the units that the repository describes and of the objects in the cluster.
"""
