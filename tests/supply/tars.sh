#!/bin/sh
# tars.sh SOURCE-FOLDER FILE...: fails when readers of tar files list other names or sizes than GNU tar does. bsdtar and Go are asked
# where they can be had; the last line says who was.
set -eu
source=$1
shift
work=$(mktemp -d -t caisson-tars.XXXXXX)
trap 'rm -rf -- "$work"' EXIT
cat >"$work/list.py" <<'PY'
import sys
import tarfile
with tarfile.open(sys.argv[1]) as members:
    for member in members:
        print(member.name, member.size)
PY
bsdtar=$(command -v bsdtar || true)
go=$("$source/ci/gotools" tarlist 2>/dev/null || true)
asked="GNU tar, Python${bsdtar:+, bsdtar}${go:+, Go}"
for file; do
    tar -tvf "$file" | awk '{print $6, $3}' >"$work/want"
    [ -s "$work/want" ]
    python3 "$work/list.py" "$file" | cmp "$work/want" -
    [ -z "$bsdtar" ] || "$bsdtar" -tvf "$file" | awk '{print $9, $5}' | cmp "$work/want" -
    [ -z "$go" ] || "$go/tarlist" "$file" | cmp "$work/want" -
    echo "$(wc -l <"$work/want") members of ${file##*/}"
done
echo "asked: $asked"
