#!/usr/bin/env bash
# Bills of materials against their schemas, and the NTIA's minimum elements, as other people's validators see them.
# usage: sbomtools_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
caisson=$(readlink -f "$1") source=$2
work=$(mktemp -d -t caisson-sbomtools.XXXXXX)
readonly caisson source work
trap 'rm -rf -- "$work"' EXIT
if ! tools=$("$source/ci/sbomtools" 2>"$work/err"); then
    echo "skip: the validators of ci/sbomtools.txt cannot be installed here:"
    tail -n 3 "$work/err"
    exit 77
fi
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

# A release with all that a bill can list: a script, a program that Go made, a link, a manifest, an image.
blob() {
    digest=$(sha256sum "$1" | cut -c 1-64) size=$(stat -c %s "$1")
    cp "$1" "$CAISSON_CACHE/blobs/sha256/$digest"
}
entry() { # KIND KEY NAME ID
    echo "{\"component\":\"tool\",\"kind\":\"$1\",\"$2\":\"$3\",\"id\":\"tool/1.2.3/$4\",\"purl\":\"pkg:generic/tool@1.2.3\",\"sha256\":\"$digest\",\"size\":$size,
\"version\":\"1.2.3\",\"license\":\"MIT\",\"platform\":\"linux/amd64\",\"upstream\":{\"type\":\"none\",\"ref\":\"x\"},\"urls\":[]}"
}
make_release() {
    export CAISSON_CACHE=$work/cache HOME=$work/home
    mkdir -p "$CAISSON_CACHE/blobs/sha256" "$CAISSON_CACHE/lock" bundles tar "$HOME"
    local entries config layer go
    printf '#!/bin/sh\n' >script && blob script && entries=$(entry file file script script)
    blob "$source/tests/supply/corpus/fuzz_goinfo/elf" && entries+=,$(entry file file program program)
    if go=$(go env GOROOT 2>/dev/null); then blob "$go/bin/go"; else blob script; fi
    entries+=,$(entry file file other other)
    printf '{"architecture":"amd64","os":"linux"}' >config && blob config && config="\"digest\":\"sha256:$digest\",\"size\":$size"
    cp script tar/run && tar -C tar -cf layer.tar run && blob layer.tar && layer="\"digest\":\"sha256:$digest\",\"size\":$size"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",%s}]}' "$config" "$layer" >manifest
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
    "$caisson" key generate release &&
        "$caisson" bundle build --profile ./tiny.yaml --key release.key --out tiny.tar &&
        "$caisson" bundle verify tiny.tar --trust release.pub &&
        "$caisson" bundle sbom tiny.tar --trust release.pub >tiny.cdx.json &&
        "$caisson" bundle sbom tiny.tar --trust release.pub --format spdx >tiny.spdx.json
}
cat >"$work/schema.py" <<'PY'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))
PY
cat >"$work/licenses.py" <<'PY'
import sys
import license_expression
import yaml
spdx = license_expression.get_spdx_licensing()
bad = {name: spdx.validate(yaml.safe_load(open(name))["metadata"]["license"]).errors for name in sys.argv[1:]}
print(bad)
sys.exit(any(bad.values()))
PY
ntia() {
    "$tools/ntia-checker" "$1" >"$work/ntia" 2>&1
    local status=$?
    cat "$work/ntia"
    [ "$status" = 0 ] && grep -q 'Conformant: True' "$work/ntia" && ! grep -qi floating "$work/ntia"
}
cd "$work" || exit 1
check "a release is built" make_release
check "the licences of all definitions are on SPDX's list" "$tools/python" licenses.py "$source"/bundles/*.yaml
check "CycloneDX 1.6: its schema, strictly" "$tools/python" schema.py tiny.cdx.json
sed 's/"specVersion":"1.6"/"specVersion":"1.6","extra":1/' tiny.cdx.json >wrong.json
check "the validator of CycloneDX sees what is wrong" fails "$tools/python" schema.py wrong.json
check "SPDX 2.3: its own tools" "$tools/pyspdxtools" -i tiny.spdx.json
sed 's/"SPDXRef-release"/"SPDXRef_0"/' tiny.spdx.json >wrong.json
check "SPDX's tools see what is wrong" fails "$tools/pyspdxtools" -i wrong.json
check "the NTIA's minimum elements, and nothing without a place in the tree" ntia tiny.spdx.json
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
