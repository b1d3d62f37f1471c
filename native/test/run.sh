#!/bin/sh
# run.sh [address|thread|undefined|neon]: compiles the tests that need no Node, with that sanitizer or for that processor,
# and runs them. Needs cmake and GoogleTest (Debian: libgtest-dev), for neon g++-aarch64-linux-gnu and qemu-user too.
# TESTS=runtime runs only those whose name matches.
set -eu
kind=${1:-}
case $kind in
  neon)
    set -- -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
      -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu"
    ;;
  *) set -- -DSANITIZE="$kind" ;;
esac
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-tests${kind:+-$kind}
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DNATIVE_TESTS=ON "$@" >/dev/null
for suite in kernel runtime; do
  case $suite in *${TESTS:-}*) cmake --build "$build" --target ${suite}_tests --parallel "$(nproc)" ;; esac
done
cd "$build"
ctest --output-on-failure -R "${TESTS:-.}"
