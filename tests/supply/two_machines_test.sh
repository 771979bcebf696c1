#!/usr/bin/env bash
# One release, built twice on machines that are set differently in everything: the same file, byte for byte.
# usage: two_machines_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
source=$(readlink -f "$2")
work=$(mktemp -d -t caisson-machines.XXXXXX)
readonly source work
trap 'rm -rf -- "$work"' EXIT
cp "$1" "$work/caisson" # where any user may run it
chmod 755 "$work"
caisson=$work/caisson
bad=0 good=0
# check WHAT COMMAND...
check() {
    if "${@:2}" >"$work/out" 2>&1; then
        good=$((good + 1)) && echo "ok   $1"
    else
        bad=$((bad + 1)) && echo "FAIL $1"
        sed 's/^/     /' "$work/out"
    fi
}

# shellcheck source=release.sh
. "$source/tests/supply/release.sh"

# ---- the first machine: this one, as plain as can be ----
first() { # OUT: with a cache that is as it was downloaded
    rm -rf -- "$work/one/cache/packages" "$work/one/cache/evidence"
    (cd "$work/one" && umask 022 && env -i PATH=/usr/bin:/bin HOME="$work/one" LC_ALL=C TZ=UTC0 \
        SOURCE_DATE_EPOCH="${2-1700000000}" taskset -c 0 \
        "$caisson" bundle build --profile ./tiny.yaml --key release.key --cache cache --out "$1")
}

# ---- the second: other folders, another order of inodes, other times of files; another user and host where root may ----
second_files() {
    local name
    mkdir -p "$work/two/other place/"{blobs/sha256,lock} "$work/two/definitions"
    for name in $(cd "$work/one/cache" && find blobs lock -type f | sort -r); do
        cp "$work/one/cache/$name" "$work/two/other place/$name" && touch -d '2001-02-03 04:05:06' "$work/two/other place/$name" || return
    done
    cp -r "$work/one/bundles" "$work/two/definitions/bundles" && cp "$work/one/tiny.yaml" "$work/two/definitions/renamed.yml" &&
        cp -p "$work/one/release.key" "$work/two/k.key"
}
second() { # OUT
    local as=(env) locale=C.UTF-8 # the C library itself loses what LOCPATH says: no business of a leak checker
    # dotless i and comma for the decimal point, where such a locale can be made
    if localedef -i tr_TR -f UTF-8 "$work/two/tr_TR.UTF-8" 2>"$work/localedef"; then locale=tr_TR.UTF-8; fi
    if [ "$(id -u)" = 0 ]; then
        chown -R 65534:65534 "$work/two"
        as=(unshare --uts sh -c 'hostname elsewhere.example && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' sh env)
    elif unshare --user --map-root-user --uts true 2>"$work/unshare"; then
        as=(unshare --user --map-root-user --uts sh -c 'hostname elsewhere.example && exec "$@"' sh env)
    fi
    (cd / && umask 077 && "${as[@]}" -i PATH=/bin:/usr/bin:/nowhere HOME=/nonexistent LC_ALL=$locale LOCPATH="$work/two" \
        ASAN_OPTIONS=detect_leaks=0 TZ=Asia/Kathmandu SOURCE_DATE_EPOCH=1700000000 LANGUAGE=tr COLUMNS=7 \
        "$caisson" bundle build --profile "$work/two/definitions/renamed.yml" --bundles "$work/two/definitions/bundles" \
        --key "$work/two/k.key" --cache "$work/two/other place" --out "$1")
}

same_modes() { [ -s "$work/two/b.tar" ] && [ "$(stat -c %a "$work/one/a.tar")" = "$(stat -c %a "$work/two/b.tar")" ]; }

# ---- another date: other times and what follows from them, and nothing else ----
# Everything that a date may change taken out of release.json: itself, the bill of materials with the manifest that names
# it, and the index.
dateless() { # BUNDLE
    local sbom index
    tar -xOf "$1" caisson/release.json >"$1.json" && tar -xOf "$1" index.json >"$1.index" &&
        sbom=$(jq -r '.predicate.sbom[0].digest' "$1.json") &&
        index=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.title"] == "sbom").digest' "$1.index") &&
        jq -S --arg a "$sbom" --arg b "$index" 'del(.predicate.issued, .predicate.provenance.sourceDateEpoch, .subject, .predicate.sbom[0].digest)
            | .predicate.members |= map(select(.path != "index.json" and .digest != $a and .digest != $b))' "$1.json"
}
# How a bill of materials may differ. A time has always as many digits, so sizes stay.
dateless_sbom() { # BUNDLE
    "$caisson" bundle sbom "$1" --trust "$work/one/release.pub" | jq -S 'del(.metadata.timestamp, .serialNumber)'
}
only_dates_differ() {
    ! cmp -s one/a.tar one/c.tar && [ "$(stat -c %s one/a.tar)" = "$(stat -c %s one/c.tar)" ] &&
        diff <(dateless one/a.tar) <(dateless one/c.tar) && diff <(dateless_sbom one/a.tar) <(dateless_sbom one/c.tar) &&
        [ "$(jq -r .predicate.issued one/a.tar.json) $(jq -r .predicate.issued one/c.tar.json)" = "2023-11-14T22:13:20Z 2023-11-14T22:13:21Z" ] &&
        diff <(tar -tvf one/a.tar --utc --full-time | sed 's/22:13:20/T/; s/[0-9a-f]\{64\}//') \
            <(tar -tvf one/c.tar --utc --full-time | sed 's/22:13:21/T/; s/[0-9a-f]\{64\}//')
}

mkdir -p "$work/one" && cd "$work/one" || exit 1
check "a release to build" make_inputs "$work/one/cache" "$source"
check "a key whose signatures have no random number" "$caisson" key generate release --scheme ed25519
cd "$work" || exit 1
check "the first machine builds it" first "$work/one/a.tar"
check "the second machine has what the first has" second_files
check "the second machine builds it" second "$work/two/b.tar"
check "the same bytes" cmp one/a.tar two/b.tar
check "the same mode" same_modes
check "another date builds" first "$work/one/c.tar" 1700000001
check "another date, and only what follows from it" only_dates_differ
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
