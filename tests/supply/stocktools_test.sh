#!/usr/bin/env bash
# Other people's tools on a bundle, by the commands of bundles/README.md: what they take out is what was put in, bit for bit.
# usage: stocktools_test.sh CAISSON SOURCE-FOLDER
# A tool that cannot be had here is named and left out; exit 77 when none can.
set -uo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2")
work=$(mktemp -d -t caisson-stocktools.XXXXXX)
readonly caisson source work
pids=()
finish() {
    [ ${#pids[@]} = 0 ] || { kill "${pids[@]}" && wait "${pids[@]}"; } 2>/dev/null
    rm -rf -- "$work"
}
trap finish EXIT
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
fails() { ! "$@"; }
skip() { echo "skip $1: $2"; }

# ---- tools: before HOME and cache are the test's own ----
for tool in crane oras cosign; do
    if folder=$("$source/ci/gotools" "$tool" 2>"$work/err"); then
        PATH=$folder:$PATH
    else
        skip "$tool" "its Go module cannot be had here: $(tail -n 1 "$work/err")"
    fi
done
containerds=()
# containerd_add NAME CONTAINERD CTR
containerd_add() {
    mkdir -p "$work/$1"
    install -m 755 "$2" "$work/$1/containerd" && install -m 755 "$3" "$work/$1/ctr" && containerds+=("$1")
}
if [ "$(id -u)" != 0 ]; then
    skip ctr "containerd needs root"
else
    version=$(sed -n 's/^ *- version: //p' "$source/bundles/containerd.yaml" | head -n 1)
    if own=$("$source/scripts/payloads" --path "containerd/$version/containerd" 2>"$work/err") &&
        ctr=$("$source/scripts/payloads" --path "containerd/$version/ctr" 2>"$work/err"); then
        containerd_add "containerd-$version" "$own" "$ctr"
    else
        skip "containerd $version" "$(tail -n 1 "$work/err")"
    fi
    if debian=$("$source/ci/debian" binary containerd 2>"$work/err"); then
        containerd_add containerd-of-debian "$debian/usr/bin/containerd" "$debian/usr/bin/ctr"
    else
        skip "containerd of Debian" "$(tail -n 1 "$work/err")"
    fi
fi

# ---- a release, and what each tool must find in it ----
cd "$work" || exit 1
# shellcheck source=tests/supply/release.sh
. "$source/tests/supply/release.sh"
check "a release is built" make_release
mkdir x && tar -xf tiny.tar -C x
bundle=tiny.tar image=$(jq -r '.predicate.components[].images[].name' x/caisson/release.json)
digest=$(jq -r '.predicate.components[].images[].manifestDigest' x/caisson/release.json)
readonly bundle image digest
export registry path

# readme TOOL [SED]: runs README's command for it, with what SED changes
readme() { eval "$(sed -n "s/^    \($1 .*\)/\1/p" "$source/bundles/README.md" | sed "${2-}")"; }
is_digest() { [ "$("${@:2}" | sha256sum | cut -c 1-64)" = "${1#sha256:}" ]; }
within() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    return 1
}

# ---- signatures ----
# Two officers, of whom the second signs what the first built, with the other kind of key; then a delta and back.
two_officers() {
    "$caisson" key generate a && "$caisson" key generate b --scheme ed25519 &&
        "$caisson" root create root --root-key a.pub --release-key a.pub --release-key b.pub --release-threshold 2 &&
        "$caisson" root sign root --key a.key &&
        "$caisson" bundle build --profile ./tiny.yaml --root root --key a.key --out two.tar &&
        "$caisson" bundle sign two.tar --key b.key --trust root/0001/root.json &&
        "$caisson" bundle delta two.tar --base two.tar --out delta.tar --trust root/0001/root.json &&
        "$caisson" bundle join delta.tar --base two.tar --out joined.tar --trust root/0001/root.json &&
        cmp joined.tar two.tar && mkdir two && tar -xf delta.tar -C two
}
if command -v cosign >/dev/null; then
    check "cosign verifies the release's signature, and that it covers index.json" readme cosign
    cp x/index.json index.json && printf ' ' >>x/index.json
    check "cosign sees another index.json" fails readme cosign
    mv index.json x/index.json
    check "two officers sign a release" two_officers
    check "cosign verifies the first one's signature" readme cosign 's/release.pub/a.pub/; s,x/,two/,g'
    check "cosign sees another key" fails readme cosign 's/release.pub/b.pub/'
    check "cosign verifies the second one's" readme cosign 's/release.pub/b.pub/; s,x/,two/,g; s/release.0/release.1/'
fi

# ---- a registry, into which three tools copy ----
if command -v crane >/dev/null; then
    crane registry serve --address localhost:0 --disk "$work" 2>registry.log &
    pids+=($!)
    within grep -q 'serving on port' registry.log
    registry=localhost:$(sed -n 's/.*serving on port \([0-9]*\).*/\1/p' registry.log | head -n 1)
    mkdir -p "$HOME/.config/containers"
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry" >"$HOME/.config/containers/registries.conf"
    path=by-skopeo:1
    check "skopeo copies an image into a registry" readme skopeo
    check "the registry has upstream's bytes" is_digest "$digest" crane manifest "$registry/$path"
    check "crane finds the image complete" crane validate --remote "$registry/$path"
    path=by-crane:1
    check "crane pushes the whole release" readme crane
    check "the registry has index.json as it is" is_digest "$(sha256sum x/index.json | cut -c 1-64)" crane manifest "$registry/$path"
    check "crane finds the image complete, by its digest" crane validate --remote "$registry/by-crane@$digest"
    if command -v oras >/dev/null; then
        path=by-oras:1
        check "oras copies an image into a registry" readme oras
        check "the registry has upstream's bytes" is_digest "$digest" crane manifest "$registry/$path"
    fi
fi
if command -v skopeo >/dev/null; then
    check "skopeo copies an image into a folder" skopeo copy --preserve-digests "oci-archive:$bundle:$image" dir:folder
    check "its manifest is upstream's" is_digest "$digest" cat folder/manifest.json
else
    skip skopeo "it is not installed (ci/setup)"
fi

# ---- containerd: its own folders, nothing of the machine's ----
# the digests of the image's blobs
blobs_of() { (echo "${digest#sha256:}" && jq -r '.config.digest, .layers[].digest' "x/blobs/sha256/${digest#sha256:}" | cut -d: -f2) | sort; }
for name in "${containerds[@]}"; do
    home=$work/$name
    printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]\n' >"$home/config.toml"
    "$home/containerd" --config "$home/config.toml" --root "$home/root" --state "$home/state" --address "$home/socket" >"$home/log" 2>&1 &
    pids+=($!)
    ctr() { "$home/ctr" --address "$home/socket" "$@"; }
    complete() { ctr images check "name==$image" | grep -F "$image" | grep 'complete (2/2)' | grep -w true; }
    has_blobs() { comm -23 <(blobs_of) <(ctr content ls -q | cut -d: -f2 | sort) | wc -l | grep -x 0; }
    only_image() { [ "$(ctr images ls -q)" = "$image" ]; }
    if ! within ctr version; then
        check "$name starts" tail "$home/log"
        continue
    fi
    check "$name: ctr imports the bundle" readme ctr
    check "$name: the image is complete and unpacked" complete
    check "$name: every blob of it is there" has_blobs
    check "$name: what is no image did not become one" only_image
done
echo "$good passed, $bad failed"
[ "$bad" = 0 ] || exit 1
[ "$good" -gt 1 ] || exit 77
