#!/bin/sh
# One FedAvg job in rndcfl, fluke and Flower, each in an environment of its own, in turns.
# REPEATS=3, PYTHON=.venv/bin/python (has rndcfl) and OUT=benchmarks/out may be set from outside.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
OUT=${OUT:-benchmarks/out}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
TORCH=$("$PYTHON" -c 'import torch; print(torch.__version__.split("+")[0])')
environment() { # name, requirements
    [ -f ".venv-$1/.ready" ] && return
    "$PYTHON" -m venv ".venv-$1"
    ".venv-$1/bin/python" -m pip install --quiet "torch==$TORCH" "$2"
    touch ".venv-$1/.ready"
}
environment fluke "fluke-fl>=0.8,<0.9"
environment flower "flwr[simulation]>=1.41,<1.43"
# Flower neither reports home nor installs by itself, and keeps its files here.
export FLWR_HOME="$OUT/flwr" FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1
export FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1 RAY_USAGE_STATS_ENABLED=0
rm -f "$OUT/results.jsonl"
"$PYTHON" benchmarks/frameworks.py job "$OUT"
for _ in $(seq "${REPEATS:-3}"); do
    "$PYTHON" benchmarks/frameworks.py ours "$OUT"
    .venv-fluke/bin/python benchmarks/frameworks.py fluke "$OUT" >"$OUT/fluke.log" 2>&1
    .venv-flower/bin/python benchmarks/frameworks.py flower "$OUT" >"$OUT/flower.log" 2>&1
done
"$PYTHON" benchmarks/frameworks.py table "$OUT"
