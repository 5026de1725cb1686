#!/usr/bin/env bash
# A component that componentize-py makes for a world exports an instance that the world does not have: `exports`, with a function
# `init` that the tool calls while it builds. Whoever serves all that a component exports serves it too, and a call of it on a
# running instance traps. It should be gone once the snapshot is taken, or be known by its name: lp-host serves no `exports.init`.
# Takes a minute; needs python3 3.10 to 3.13.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv tools
tools/bin/pip --quiet --disable-pip-version-check install componentize-py==0.25.1 wasmtime==50.0.1

mkdir wit
cat > wit/greeter.wit <<'WIT'
package demo:greeter;

interface greeter {
  greet: func(name: string) -> string;
}

world node {
  export greeter;
}
WIT
cat > app.py <<'PY'
class Greeter:
    def greet(self, name: str) -> str:
        return "hello " + name
PY
tools/bin/componentize-py -d wit -w node componentize app -o greeter.wasm > build.log 2>&1 || { cat build.log; exit 2; }

cat > exports.py <<'PY'
from wasmtime import Engine, component

engine = Engine()
found = component.Component.from_file(engine, "greeter.wasm").type.exports(engine)
for name, item in sorted(dict(found).items()):
    inner = item.ty.exports(engine)
    print(name, "has", ", ".join(sorted(dict(inner))))
PY
echo "the world exports: demo:greeter/greeter"
tools/bin/pip list --disable-pip-version-check 2>/dev/null | grep -E '^(componentize-py|wasmtime) '
tools/bin/python exports.py | tee exports.txt
if ! grep -qE '^exports has .*\binit\b' exports.txt; then
    echo "changed: the component has no \`exports\` with \`init\` any more" >&2
    exit 1
fi
echo "seen: an export \`exports\` that the world does not name"
