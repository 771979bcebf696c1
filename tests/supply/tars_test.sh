#!/usr/bin/env bash
# Every form of a bundle is one tar file to all readers: a full one, deltas, parts behind one another, many members.
# usage: tars_test.sh CAISSON SOURCE-FOLDER
set -euo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2")
work=$(mktemp -d -t caisson-tars.XXXXXX)
home=$HOME cache=${CAISSON_CACHE-}
readonly caisson source work home cache
trap 'rm -rf -- "$work"' EXIT
readonly many=1000
cd "$work"
# shellcheck source=tests/supply/release.sh
. "$source/tests/supply/release.sh"
make_release
mv tiny.tar old.tar
# the next release: many more files
sed -i '/^manifests/d' bundles/tool.yaml
echo 'manifests:' >>bundles/tool.yaml
for i in $(seq "$many"); do
    echo "number: $i" >"bundles/object-$i.yaml"
    echo "  - {file: object-$i.yaml}"
done >>bundles/tool.yaml
"$caisson" bundle build --profile ./tiny.yaml --key release.key --out new.tar --sequence 2
"$caisson" bundle delta new.tar --base old.tar --out delta.tar --trust release.pub
"$caisson" bundle delta new.tar --base new.tar --out empty.tar --trust release.pub
"$caisson" bundle join delta.tar --base old.tar --out joined.tar --trust release.pub
cmp joined.tar new.tar
"$caisson" bundle split new.tar --size 100000 --out .
cat new.tar.[0-9][0-9][0-9] >parts.tar
for file in old.tar new.tar joined.tar parts.tar; do "$caisson" bundle verify "$file" --trust release.pub; done
HOME=$home CAISSON_CACHE=$cache "$source/tests/supply/tars.sh" "$source" old.tar new.tar delta.tar empty.tar joined.tar parts.tar | tee out
[ "$(sed -n 's/ members of new.tar//p' out)" -gt "$many" ]
