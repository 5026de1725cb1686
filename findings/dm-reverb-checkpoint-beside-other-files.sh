#!/usr/bin/env bash
# A checkpoint whose folder has something else in it, of a name that sorts after a date, is deleted as soon as it is written: what
# is kept are the entries whose names come last, whatever they are. The client is told the path of the checkpoint that is gone.
# One would expect the folder to keep its checkpoint; ours looks at names of the form that it gives, and at nothing else.
# Takes some minutes, most of them for TensorFlow; needs python3.11, the last that the wheels are for.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3.11 -m venv tools
tools/bin/pip --quiet --disable-pip-version-check install dm-reverb==0.14.0 'tensorflow-cpu~=2.15.0'

cat > seen.py <<'PY'
import os
import tempfile
import reverb

root = tempfile.mkdtemp()
os.mkdir(os.path.join(root, "notes"))
checkpointer = reverb.checkpointers.DefaultCheckpointer(root)
server = reverb.Server([reverb.Table.queue("queue", 10)], port=None, checkpointer=checkpointer)
client = reverb.Client(f"localhost:{server.port}")
client.insert([1], {"queue": 1.0})
path = client.checkpoint()
print("the server says that it wrote", os.path.relpath(path, root))
print("the folder holds", sorted(os.listdir(root)))
print("there:", os.path.exists(path))
PY
tools/bin/pip list --disable-pip-version-check 2>/dev/null | grep -E '^(dm-reverb|tensorflow-cpu) '
tools/bin/python seen.py 2> log.txt | tee seen.txt || { cat log.txt; exit 2; }
if ! grep -qFx "there: False" seen.txt; then
    echo "changed: the checkpoint is where the server says" >&2
    exit 1
fi
echo "seen: a checkpoint that was reported and is gone"
