#!/usr/bin/env bash
# `addon_test.sh add` puts the add-on of profile minimal-test on the cluster, `addon_test.sh remove` takes it off again: only
# images come and go, nothing is started again. Other tests use the images in between.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=addon.sh
source "$(dirname "$0")/addon.sh"
use_cluster

# Exit code 4, before any host is contacted; the cluster's own files stay as they are.
refused() {
    local bundle=$1 words=$2 code
    sed "/^  addons:/d; s|^  trust:|  addons: [$bundle]\n&|" cluster.yaml >wrong.yaml
    bin/caisson apply --config wrong.yaml >"$work/refused.log" 2>&1
    code=$?
    rm -f wrong.yaml
    [ "$code" = 4 ] && grep -F "$words" "$work/refused.log" >/dev/null && ! grep connect "$work/refused.log" >/dev/null && return
    echo "exit $code"
    cat "$work/refused.log"
    return 1
}

for_another_release() {
    bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal.yaml" --bundles "$LAB_TOP/bundles" --key release.key \
        --sequence 4711 --out "$work/other.csn.tar" >/dev/null 2>&1 &&
        bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal-test.yaml" --bundles "$LAB_TOP/bundles" --key release.key \
            --requires "$work/other.csn.tar" --out "$work/other-test.csn.tar" >/dev/null 2>&1 || return 1
    refused "$work/other-test.csn.tar" "E_REQUIRES: add-on \"minimal-test\" was built for release"
    local code=$?
    rm -f "$work/other.csn.tar" "$work/other-test.csn.tar"
    return "$code"
}

flipped_byte() {
    cp test.csn.tar "$work/flipped.csn.tar"
    printf '\377' | dd of="$work/flipped.csn.tar" bs=1 seek=30000000 conv=notrunc 2>/dev/null
    refused "$work/flipped.csn.tar" E_DIGEST
    local code=$?
    rm -f "$work/flipped.csn.tar"
    return "$code"
}

# plan_says WORD: for every host one activation, without a unit, and every image of the add-on with that word; no more, but
# that a release is remembered.
plan_says() {
    local code h
    bin/caisson plan >"$work/plan.txt" 2>"$work/plan.log"
    code=$?
    for h in $(hosts); do
        echo "$h: activate generation"
        addon_images | sed "s/^/$h: $1 image /"
    done | sort >"$work/plan.want"
    [ "$code" = 2 ] && sed -E '$d; /^cluster: remember release /d; s/(activate generation) .*/\1/' "$work/plan.txt" | sort | cmp -s - "$work/plan.want" && return
    echo "exit $code"
    cat "$work/plan.txt" "$work/plan.log"
    return 1
}

apply_restarts_nothing() {
    local before
    before=$(invocations)
    bin/caisson apply >"$work/addon.log" 2>&1 || { cat "$work/addon.log"; return 1; }
    [ "$before" = "$(invocations)" ] || { echo "a unit was started again"; return 1; }
}

# everywhere true|false: the add-on's images are there on every host, with that pin; the release's own stay pinned.
everywhere() {
    local h
    for h in $(hosts); do
        addon_images | all_pinned "$h" "$1" || { echo "on $h:"; images_pinned "$h" "$1"; return 1; }
        bin/caisson bundle inspect minimal.csn.tar --trust release.pub -o json | jq -r '.components[].images[]?.name' | sort |
            all_pinned "$h" true || { echo "on $h a pin of the release is gone"; return 1; }
    done
}

status_names_addon() { bin/caisson status -o json 2>/dev/null | jq -e '.ready and (.addons | map(.profile) == ["minimal-test"])' >/dev/null; }

add() {
    check "the add-on is built for this release" addon_build
    check "an add-on for another release is refused" for_another_release
    check "a release is no add-on" refused minimal.csn.tar "E_REQUIRES: \"minimal\" is no add-on"
    check "an add-on with a flipped byte is refused" flipped_byte
    addon_name test.csn.tar
    check "plan names its images and nothing else" plan_says import
    check "apply brings them and starts nothing again" apply_restarts_nothing
    check "all of them are there and pinned" everywhere true
    check "status names the add-on" status_names_addon
}

remove() {
    addon_forget
    check "plan unpins its images and does nothing else" plan_says unpin
    check "apply starts nothing again" apply_restarts_nothing
    check "they are the kubelet's to collect; the release's stay pinned" everywhere false
}

case ${1-} in
add | remove) "$1" ;;
*) echo "usage: addon_test.sh add|remove" >&2 && exit 64 ;;
esac
check "apply says 0 changes and starts nothing again" settled
summary
