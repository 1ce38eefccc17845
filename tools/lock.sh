#!/usr/bin/env bash
# Makes requirements/*.txt again from pyproject.toml. Pins stay as they are where they still fit; UPGRADE=1 renews them all.
# The lists name no index and no path, so that they install from wherever a machine gets its packages.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv

compile() {
  local lock=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --no-emit-find-links ${UPGRADE:+--upgrade} "$@" --output-file "requirements/$lock.txt"
  if grep -nE '://|file:|^--' "requirements/$lock.txt"; then
    echo "requirements/$lock.txt names a place: remove it before committing" >&2
    exit 1
  fi
}

compile dev pyproject.toml --extra demo --group dev
# The smaller lists agree with the large one, so that one environment can serve both.
compile demo pyproject.toml --extra demo --group build --constraint requirements/dev.txt
compile server pyproject.toml --extra server --constraint requirements/dev.txt
compile core pyproject.toml --constraint requirements/dev.txt
compile uv --group setup
