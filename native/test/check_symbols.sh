#!/bin/sh
# check_symbols.sh ISA LIBRARY: the objects of one instruction set may define nothing for others to link to but
# saddlepoint_ISA_*. A weak copy of an inline function, say, could be taken for all tiers and hold this tier's instructions.
set -eu
isa=$1
library=$2
foreign=$(nm --defined-only --extern-only "$library" | awk 'NF == 3 { print $3 }' | grep -v "^saddlepoint_${isa}_" || true)
if [ -n "$foreign" ]; then
  echo "$library defines symbols that are not saddlepoint_${isa}_*:" >&2
  echo "$foreign" >&2
  exit 1
fi
for name in table fmaPeak matmul; do
  nm --defined-only --extern-only "$library" | grep -q " saddlepoint_${isa}_${name}$" || {
    echo "$library does not define saddlepoint_${isa}_${name}" >&2
    exit 1
  }
done
