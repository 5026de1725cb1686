#!/usr/bin/env bash
# Two servers start on one port, and the kernel deals the clients out between them: the port is opened with SO_REUSEPORT. A server
# that was left behind so takes a part of the data of the next one. One would expect the second to fail; ours does.
# Takes some minutes, most of them for TensorFlow; needs python3.11, the last that the wheels are for.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3.11 -m venv tools
tools/bin/pip --quiet --disable-pip-version-check install dm-reverb==0.14.0 'tensorflow-cpu~=2.15.0'

cat > seen.py <<'PY'
import socket
import reverb

with socket.socket() as probe:
    probe.bind(("localhost", 0))
    port = probe.getsockname()[1]
def server(name):
    return reverb.Server([reverb.Table.queue(name, 10)], port=port)
servers = [server("first"), server("second")]
found = set()
for _ in range(40):
    found.update(reverb.Client(f"localhost:{port}").server_info())
print("two servers started on one port; clients of it found the tables", sorted(found))
PY
tools/bin/pip list --disable-pip-version-check 2>/dev/null | grep -E '^(dm-reverb|tensorflow-cpu) '
tools/bin/python seen.py 2> log.txt | tee seen.txt || { cat log.txt; exit 2; }
if ! grep -qF "found the tables ['first', 'second']" seen.txt; then
    echo "changed: the second server does not start, or has no clients" >&2
    exit 1
fi
echo "seen: one port, two servers"
