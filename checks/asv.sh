#!/bin/sh
# The asv suite once, quickly, in the environment that is already built: every benchmark must run,
# and the published page must list it. No figure of such a run is kept, and none is judged.
#
# Usage: checks/asv.sh [PYTHON]; PYTHON has cwts and asv, by default the project's.
set -eu
cd "$(dirname "$0")/.."
python="$(realpath -s "${1:-.venv/bin/python}")"
out="$(mktemp -d)"
trap '[ -n "${KEEP:-}" ] || rm -rf "$out"' EXIT

# The suite's own configuration, but for what a run over commits needs: environments of its own, and
# a branch with a name. asv resolves paths against the file's folder.
"$python" - "$out" <<'PY'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
found = json.loads(pathlib.Path("asv.conf.json").read_text(encoding="utf-8"))
for key in ("matrix", "build_command", "install_command"):
    del found[key]
here = str(pathlib.Path.cwd())
found |= {
    "repo": here, "benchmark_dir": f"{here}/benches", "branches": ["HEAD"],
    "environment_type": "existing", "pythons": ["same"],
    "env_dir": str(out / "env"), "results_dir": str(out / "results"), "html_dir": str(out / "html"),
}
(out / "asv.conf.json").write_text(json.dumps(found), encoding="utf-8")
PY
asv() { verb="$1"; shift; "$python" -W ignore -m asv "$verb" --config "$out/asv.conf.json" "$@"; }

asv machine --yes >"$out/machine" 2>&1 || { cat "$out/machine"; exit 1; }
# 2: a benchmark failed. The pages are checked all the same, and say which.
asv run --quick --show-stderr --environment "existing:$python" \
  --set-commit-hash "$(git rev-parse HEAD)" --launch-method spawn || [ $? -eq 2 ]
asv publish >"$out/publish" 2>&1 || { cat "$out/publish"; exit 1; }
"$python" tools/asv_plain.py "$out/results" "$out/html"
"$python" checks/asv_page.py benches "$out/results" "$out/html"
