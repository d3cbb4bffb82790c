"""The fleet as it is written down: fleet.yaml, services, layers, the chart, names, pipelines, shards."""
