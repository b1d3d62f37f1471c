#!/bin/sh
# run.sh [address|thread]: compiles the tests that need no Node, with that sanitizer, and runs them.
# Needs cmake and GoogleTest (Debian: libgtest-dev). TESTS=runtime runs only those whose name matches.
set -eu
sanitizer=${1:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-tests${sanitizer:+-$sanitizer}
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DNATIVE_TESTS=ON -DSANITIZE="$sanitizer" >/dev/null
for suite in kernel runtime; do
  case $suite in *${TESTS:-}*) cmake --build "$build" --target ${suite}_tests --parallel "$(nproc)" ;; esac
done
cd "$build"
ctest --output-on-failure -R "${TESTS:-.}"
