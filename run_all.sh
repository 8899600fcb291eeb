#!/usr/bin/env bash
# One command: make the environment if needed, then run every notebook, figure and table.
#
#   ./run_all.sh                              the simulated demo (core notebooks)
#   ./run_all.sh --full                       the demo with every baseline and control that trains
#   ./run_all.sh test                         the tests
#   ./run_all.sh --profile paper --data DIR   the paper's analysis on NSD in DIR
#   ./run_all.sh --conda                      make the environment with conda/mamba instead of venv
#   ./run_all.sh --cores N                    how many CPU cores to use (default: all)
#   ./run_all.sh -- ARGS                      ARGS go to Snakemake, e.g. -- --profile configs/slurm
set -euo pipefail
here="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")"
unset PYTHONPATH PYTHONHOME # others' packages would replace the locked ones

profile=demo data="" mode=run conda=no cores=all full="" extra=()
while (($#)); do
  case "$1" in
    test) mode=test ;;
    --profile) profile="${2:?--profile needs a name}"; shift ;;
    --data) data="${2:?--data needs a folder}"; shift ;;
    --full) full=yes ;;
    --conda) conda=yes ;;
    --cores) cores="${2:?--cores needs a number}"; shift ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --) shift; extra=("$@"); break ;;
    *) echo "run_all.sh: unknown argument '$1' (see ./run_all.sh --help)" >&2; exit 2 ;;
  esac
  shift
done

lock_hash() { cksum < requirements.lock; }

complete() { # is this Python able to run the project?
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null &&
    PYTHONPATH=. "$1" -m havir_lib.doctor --quiet >/dev/null 2>&1
}

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      echo "$name"; return
    fi
  done
  echo "run_all.sh: needs Python 3.11, 3.12 or 3.13; found $(python3 --version 2>&1 || echo none)." \
       "Install one (e.g. 'apt install python3.11-venv', 'brew install python@3.12') or use --conda." >&2
  exit 1
}

make_venv() {
  local base; base="$(find_python)"
  echo "Making .venv with $("$base" --version) from requirements.lock (a few minutes, about 7 GB with CUDA)"
  rm -rf .venv
  "$base" -m venv .venv || {
    echo "run_all.sh: could not make a virtual environment; on Debian/Ubuntu: apt install python3-venv" >&2; exit 1; }
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  lock_hash > .venv/complete # written last: an interrupted installation is started anew
}

make_conda() {
  local tool
  tool="$(command -v mamba || command -v micromamba || command -v conda)" || {
    echo "run_all.sh: --conda needs conda, mamba or micromamba on the PATH" >&2; exit 1; }
  [[ -x .conda/bin/python ]] || "$tool" env create --yes --prefix "$PWD/.conda" --file environment.yml
}

if [[ $conda == yes ]]; then
  make_conda; python=.conda/bin/python
elif [[ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]] && complete "$(command -v python)"; then
  python="$(command -v python)"
else
  [[ -f .venv/complete && "$(cat .venv/complete)" == "$(lock_hash)" ]] || make_venv
  python=.venv/bin/python
fi
python="$(cd "$(dirname "$python")" && pwd)/$(basename "$python")"
PATH="$(dirname "$python"):$PATH"; export PATH

if [[ $mode == test ]]; then
  exec "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder ${extra[@]+"${extra[@]}"}
fi
project="$PWD"
cd "$here" # relative paths are meant from where the command was given
exec "$python" "$project/havir_lib" run --profile "$profile" ${data:+--data "$data"} \
  --cores "$cores" ${full:+--full} ${extra[@]+-- "${extra[@]}"}
