#!/usr/bin/env bash
# Another release, of which only manifests or an image differ: only those are applied, an object that left is pruned, no unit
# on any node is touched. That with the image comes as a delta by what the cluster holds. The cluster has a release like its own
# afterwards, a newer one, since it takes no older one. And labels and taints of a node.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
readonly bundles=$work/bundles image=registry.k8s.io/coredns/coredns
blobs=${CAISSON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caisson}/blobs/sha256

clean_up() {
    local status=$?
    mv -f "$work/own.yaml" cluster.yaml
    rm -rf "$work/cache"
    exit "$status"
}
cp minimal.csn.tar "$work/own.csn.tar" && cp cluster.yaml "$work/own.yaml" && sequence=$(sequence_of minimal.csn.tar) || exit 1
trap clean_up EXIT
trap 'exit 130' INT TERM

# build [OPTION]...: the next release.
build() {
    sequence=$((sequence + 1))
    bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal.yaml" --bundles "$bundles" --key release.key --sequence "$sequence" \
        --out minimal.csn.tar "$@" >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
}

# quietly COMMAND...: its words are shown when it fails.
quietly() { "$@" >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }; }

# Every object that caisson keeps, with the version that any change of it moves on; status of workloads moves it as well, so
# generation stands for it where there is one.
versions() {
    k -n kube-system get configmap caisson-inventory -o 'jsonpath={.data.list}' |
        jq -r '.[] | [.kind + (if .apiVersion | contains("/") then "." + (.apiVersion | split("/") | reverse | join(".")) else "" end), .namespace // "-", .name] | @tsv' |
        while IFS=$'\t' read -r kind namespace name; do
            printf '%s %s ' "$kind" "$name"
            k -n "${namespace#-}" get "$kind" "$name" -o json | jq -r '[.metadata.uid, .metadata.generation // .metadata.resourceVersion] | @tsv'
        done | sort
}

# Objects whose version differs, or that only one side has.
moved() { diff "$work/versions.before" "$work/versions.after" | sed -nE 's/^[<>] ([^ ]+ [^ ]+) .*/\1/p' | sort -u | xargs; }

# changes OBJECT...: plan says the lines on standard input, and that the release is remembered; apply moves these objects and
# starts no unit again.
changes() {
    local before code
    bin/caisson plan >"$work/plan.txt" 2>"$work/plan.log"
    code=$?
    [ "$code" = 2 ] || { echo "plan exits $code"; cat "$work/plan.log"; return 1; }
    grep -xF "cluster: remember release 0.$sequence of caisson/minimal in place of 0.$((sequence - 1))" "$work/plan.txt" >/dev/null || return 1
    diff - <(sed -E '/^cluster: remember release /d; s/ [0-9a-f]{12}\b/ X/g' "$work/plan.txt") || return 1
    before=$(invocations)
    versions >"$work/versions.before"
    bin/caisson apply >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
    versions >"$work/versions.after"
    [ "$before" = "$(invocations)" ] || { echo "a unit was started again"; return 1; }
    [ "$(moved)" = "$*" ] || { echo "changed: $(moved)"; return 1; }
}

lines() { printf '%s\n' "$@"; }

changed_manifest() {
    sed -i 's/^        cache 30$/        cache 31/' "$bundles/coredns/coredns.yaml"
    build && changes ConfigMap coredns < <(lines "cluster: apply ConfigMap kube-system/coredns" "2 changes") || return 1
    k -n kube-system get configmap coredns -o yaml | grep 'cache 31' >/dev/null
}

new_manifest() {
    cat >>"$bundles/kubernetes/rbac.yaml" <<'YAML'
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lab-extra, namespace: kube-system}
data: {a: b}
YAML
    build && changes ConfigMap lab-extra < <(lines "cluster: apply ConfigMap kube-system/lab-extra" "2 changes") || return 1
    [ "$(k -n kube-system get configmap lab-extra -o 'jsonpath={.data.a}')" = b ]
}

removed_manifest() {
    cp "$LAB_TOP/bundles/kubernetes/rbac.yaml" "$bundles/kubernetes/rbac.yaml"
    build && changes ConfigMap lab-extra < <(lines "cluster: prune ConfigMap lab-extra" "2 changes") || return 1
    [ -z "$(k -n kube-system get configmap lab-extra --ignore-not-found -o name)" ]
}

# put JSON: keeps it in the test's own cache; prints its digest and size.
put() {
    local hex
    hex=$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1)
    printf '%s' "$1" >"$work/cache/blobs/sha256/$hex" && echo "$hex ${#1}"
}

# The image of CoreDNS with one label more and another tag, in a cache and a lock beside the real ones.
other_image() {
    local cache=$work/cache lock=${blobs%/blobs/*}/lock/minimal.lock.json manifest config hex size
    rm -rf "$cache" && mkdir -p "$cache/blobs" && cp -al "$blobs" "$cache/blobs/" || return 1
    manifest=$(<"$blobs/$(jq -r --arg name "$image:$tag" '.entries[] | select(.name == $name).sha256' "$lock")")
    config=$(<"$blobs/$(jq -r '.config.digest | ltrimstr("sha256:")' <<<"$manifest")")
    read -r hex size < <(put "$(jq -c '.config.Labels = {lab: "other"}' <<<"$config")")
    read -r hex size < <(put "$(jq -c --arg hex "$hex" --argjson size "$size" \
        '.config += {digest: ("sha256:" + $hex), size: $size}' <<<"$manifest")")
    jq --arg hex "$hex" --argjson size "$size" --arg name "$image:$tag" \
        '.entries |= map(if .name == $name then . + {name: (.name + "-lab"), id: (.id + "-lab"), sha256: $hex, size: $size} else . end)' \
        "$lock" >"$cache/lock.json" || return 1
    # shellcheck disable=SC2016  # a placeholder of the definition
    sed -i 's|/coredns:v${version}"|/coredns:v${version}-lab"|' "$bundles/coredns.yaml" "$bundles/coredns/coredns.yaml"
}

# image_lines FROM TO: what plan says when one image takes the place of another.
image_lines() {
    local h
    for h in $(hosts); do
        lines "$h: activate generation X in place of X" "$h: import image $image:$2" "$h: unpin image $image:$1"
    done
}

runs_image() {
    k -n kube-system get pods -l k8s-app=kube-dns -o json |
        jq -e --arg image "$image:$1" '.items | length > 0 and all(.status.containerStatuses[0].image == $image)' >/dev/null
}

# The release becomes a delta by what the cluster holds: without a package, and still all that a full bundle is made of.
as_delta() {
    mv minimal.csn.tar "$work/full.tar"
    quietly bin/caisson bundle delta "$work/full.tar" --base "$work/held.json" --out minimal.csn.tar &&
        quietly bin/caisson bundle join minimal.csn.tar --base "$work/own.csn.tar" --out "$work/joined.tar" &&
        cmp "$work/full.tar" "$work/joined.tar" || return 1
    tar -tf minimal.csn.tar | grep -F -f <(bin/caisson bundle inspect "$work/full.tar" -o json | jq -r '.components[].packages[]?.digest | ltrimstr("sha256:")') &&
        { echo "these packages are in the delta"; return 1; }
    rm "$work/full.tar" "$work/joined.tar"
}

changed_image() {
    bin/caisson bundle held >"$work/held.json" 2>"$work/objects.log" || { cat "$work/objects.log"; return 1; }
    other_image && build --cache "$work/cache" --lock "$work/cache/lock.json" && as_delta || return 1
    changes Deployment.v1.apps coredns < <(
        image_lines "$tag" "$tag-lab"
        lines "cluster: apply Deployment kube-system/coredns" "$((3 * $(hosts | wc -l) + 2)) changes"
    ) || return 1
    within 60 runs_image "$tag-lab"
}

own_release() {
    rm -rf "$bundles" && cp -r "$LAB_TOP/bundles" "$bundles" && build || return 1
    changes ConfigMap coredns Deployment.v1.apps coredns < <(
        image_lines "$tag-lab" "$tag"
        lines "cluster: apply ConfigMap kube-system/coredns" "cluster: apply Deployment kube-system/coredns"
        lines "$((3 * $(hosts | wc -l) + 3)) changes"
    ) || return 1
    within 60 runs_image "$tag"
}

# marks_are HOST TEXT: its label lab-zone, and the keys of its taints.
marks_are() {
    local have
    have=$(k get node "$1" -o json | jq -r '[.metadata.labels["lab-zone"] // "-", (.spec.taints // [] | map(.key) | sort[])] | join(" ")')
    [ "$have" = "$2" ] || { echo "$1 has: $have"; return 1; }
}

# What somebody else put on the node is neither taken off nor put back.
marks_come_and_go() {
    local host before
    host=$(hosts | tail -n 1)
    before=$(k get node "$host" -o json | jq -r '.spec.taints // [] | map(" " + .key) | join("")')
    k taint node "$host" lab-theirs=x:PreferNoSchedule >/dev/null || return 1
    sed -i "s/^    - name: $host\$/&\n      labels: {lab-zone: a}\n      taints: [{key: lab-ours, effect: PreferNoSchedule}]/" cluster.yaml
    bin/caisson apply >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
    marks_are "$host" "a lab-ours lab-theirs$before" || return 1
    cp "$work/own.yaml" cluster.yaml
    bin/caisson apply >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
    marks_are "$host" "- lab-theirs$before" || return 1
    k taint node "$host" lab-theirs- >/dev/null
}

rm -rf "$bundles" && cp -r "$LAB_TOP/bundles" "$bundles" || exit 1
tag=v$(sed -nE 's/^ *- version: //p' "$bundles/coredns.yaml")
check "a changed manifest: only that object is applied" changed_manifest
check "a new manifest: only that object is made" new_manifest
check "a removed manifest: only that object is pruned" removed_manifest
check "a changed image in a delta: only that, and the workload that names it" changed_image
check "its own release: the changes are undone" own_release
check "labels and taints come and go with cluster.yaml, those of others stay" marks_come_and_go
check "apply says 0 changes and starts nothing again" settled
check "the cluster is ready" within 60 status_ready
summary
