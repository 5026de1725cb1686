"""Prints `-p NAME` for every crate that is built for WebAssembly: those in a folder `guests`."""

import json
import sys

packages = json.load(sys.stdin)["packages"]
names = sorted(package["name"] for package in packages if "/guests/" in package["manifest_path"])
print(" ".join(f"-p {name}" for name in names))
