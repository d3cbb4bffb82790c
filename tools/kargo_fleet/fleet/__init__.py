"""The fleet as declared in its files: fleet.yaml, services, layers, the chart, names, pipelines, shards."""
