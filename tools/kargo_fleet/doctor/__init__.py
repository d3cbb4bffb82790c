"""What is wrong in the cluster, and what to do: `cluster` reads, the other modules judge what was read.

A check is a pure function of the units that the repository describes and of the objects that are in the cluster.
"""
