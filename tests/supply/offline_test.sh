#!/usr/bin/env bash
# Who looks into a bundle opens no network: run in an empty network namespace, with every system call for sockets on record.
# usage: offline_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2")
work=$(mktemp -d -t caisson-offline.XXXXXX)
readonly caisson source work
trap 'rm -rf -- "$work"' EXIT
apart=(unshare --net)
[ "$(id -u)" = 0 ] || apart=(unshare --map-root-user --net)
if ! "${apart[@]}" strace -o "$work/log" true 2>"$work/err"; then
    echo "skip: no network namespace, or no strace, for this user:" && cat "$work/err"
    exit 77
fi
bad=0 good=0
# check WHAT COMMAND...
check() {
    if "${@:2}" >"$work/out" 2>&1; then
        good=$((good + 1)) && echo "ok   $1"
    else
        bad=$((bad + 1)) && echo "FAIL $1"
        sed 's/^/     /' "$work/out" "$work/log"
    fi
}
fails() { ! "$@"; }
# offline COMMAND...: it succeeds without a network and asks the kernel for none. The leak checker cannot be traced.
offline() {
    ASAN_OPTIONS=detect_leaks=0 "${apart[@]}" strace -f -e trace=network -e signal=none -o "$work/log" -- "$@" || return 1
    ! grep -v ' +++ exited with 0 +++$' "$work/log"
}

cd "$work" || exit 1
# shellcheck source=tests/supply/release.sh
. "$source/tests/supply/release.sh"
check "a release is built" make_release
cp tiny.tar old.tar
"$caisson" bundle build --profile ./tiny.yaml --key release.key --out new.tar --sequence 2 --version 2 >out
"$caisson" bundle delta new.tar --base old.tar --out delta.tar --trust release.pub >out
"$caisson" bundle split new.tar --size 4000000 --out . >out
check "a socket would be seen" fails offline python3 -c 'import socket; socket.socket()'
for file in new.tar delta.tar new.tar.parts.json; do
    check "bundle verify $file" offline "$caisson" bundle verify "$file" --trust release.pub
done
for verb in inspect sbom; do
    check "bundle $verb" offline "$caisson" bundle "$verb" new.tar --trust release.pub
done
check "bundle sbom as SPDX" offline "$caisson" bundle sbom new.tar --trust release.pub --format spdx
check "bundle join" offline "$caisson" bundle join delta.tar --base old.tar --out joined.tar --trust release.pub
check "bundle ingest" offline "$caisson" bundle ingest new.tar --store store --trust release.pub
mkfifo pipe
cat new.tar >pipe &
check "bundle ingest of a pipe" offline "$caisson" bundle ingest pipe --store other --trust release.pub
check "bundle verify in the store" offline "$caisson" bundle verify store/releases/* --trust release.pub
check "bundle diff" offline "$caisson" bundle diff joined.tar new.tar --trust release.pub
check "bundle build" offline "$caisson" bundle build --profile ./tiny.yaml --key release.key --out again.tar --sequence 2 --version 2
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
