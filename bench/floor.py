"""The floor of `generate`: `python floor.py FLEET OUTPUTS` reads its inputs and writes its outputs only.

It parses the same input files with PyYAML's C loader, and creates the same output files with the same sizes (OUTPUTS is a JSON
file of sizes by path), by writing a temporary file and renaming it. No merging, no validation, one process.
"""

from __future__ import annotations

import json
import os
import sys

import yaml


def main() -> None:
    fleet, outputs = sys.argv[1:]
    os.chdir(fleet)
    inputs = ["fleet.yaml"]
    for service in sorted(entry.name for entry in os.scandir("services")):
        inputs += sorted(entry.path for entry in os.scandir(f"services/{service}"))
    for path in inputs:
        with open(path, "rb") as file:
            yaml.load(file.read(), yaml.CSafeLoader)
    with open(outputs, "rb") as file:
        sizes = json.load(file)
    for folder in {os.path.dirname(path) for path in sizes}:
        os.makedirs(folder, exist_ok=True)
    for path, size in sizes.items():
        with open(f"{path}.tmp", "wb") as file:
            file.write(b"#" * size)
        os.rename(f"{path}.tmp", path)


if __name__ == "__main__":
    main()
