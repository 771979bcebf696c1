# shellcheck shell=bash disable=SC2154
# Makes a small release with all that one can hold: a script, a program that Go made, a link, a manifest, an image. Sourced, in
# a folder of the test's own. make_release wants $caisson, $source and $work.

blob() { # FILE: into the cache
    digest=$(sha256sum "$1" | cut -c 1-64) size=$(stat -c %s "$1")
    cp "$1" "$CAISSON_CACHE/blobs/sha256/$digest"
}
entry() { # KIND KEY NAME ID: of the lock, for the last blob
    echo "{\"component\":\"tool\",\"kind\":\"$1\",\"$2\":\"$3\",\"id\":\"tool/1.2.3/$4\",\"purl\":\"pkg:generic/tool@1.2.3\",\"sha256\":\"$digest\",\"size\":$size,
\"version\":\"1.2.3\",\"license\":\"MIT\",\"platform\":\"linux/amd64\",\"upstream\":{\"type\":\"none\",\"ref\":\"x\"},\"urls\":[]}"
}
make_inputs() { # CACHE SOURCE-TREE: tiny.yaml, bundles/ and the cache with its lock
    local tree=$2
    export CAISSON_CACHE=$1
    mkdir -p "$CAISSON_CACHE/blobs/sha256" "$CAISSON_CACHE/lock" bundles tar
    local entries config layer go
    printf '#!/bin/sh\n' >script && blob script && entries=$(entry file file script script)
    blob "$tree/tests/supply/corpus/fuzz_goinfo/elf" && entries+=,$(entry file file program program)
    if go=$(go env GOROOT 2>/dev/null); then blob "$go/bin/go"; else blob script; fi
    entries+=,$(entry file file other other)
    cp script tar/run && tar -C tar -cf layer.tar run && gzip -nk layer.tar && blob layer.tar.gz && layer="\"digest\":\"sha256:$digest\",\"size\":$size"
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$(sha256sum layer.tar | cut -c 1-64)" >config
    blob config && config="\"digest\":\"sha256:$digest\",\"size\":$size"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",%s}]}' "$config" "$layer" >manifest
    blob manifest && entries+=,$(entry oci name registry.example/tool:1.2.3 image)
    echo "{\"schema\":1,\"profile\":\"tiny\",\"platform\":\"linux/amd64\",\"entries\":[$entries]}" | jq '.entries |= sort_by(.id)' >"$CAISSON_CACHE/lock/tiny.lock.json"
    cat >tiny.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [tool]}
Y
    cat >bundles/tool.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: tool, license: MIT AND (Apache-2.0 OR GPL-2.0-or-later), supplier: example, purl: "pkg:generic/tool"}
versions: [{version: 1.2.3}]
packages:
  - name: tool
    roles: [all]
    files:
      - {path: bin/script, from: script, mode: "0755"}
      - {path: bin/program, from: program, mode: "0755"}
      - {path: bin/other, from: other, mode: "0755"}
      - {path: bin/alias, link: script}
manifests: [{file: object.yaml}]
images: [{name: "registry.example/tool:${version}", roles: [all], usedBy: this test}]
Y
    echo 'kind: Namespace' >bundles/object.yaml
}
make_release() { # tiny.tar, signed by release.pub
    export HOME=$work/home
    mkdir -p "$HOME"
    make_inputs "$work/cache" "$source"
    "$caisson" key generate release &&
        "$caisson" bundle build --profile ./tiny.yaml --key release.key --out tiny.tar &&
        "$caisson" bundle verify tiny.tar --trust release.pub
}
