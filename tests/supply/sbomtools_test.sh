#!/usr/bin/env bash
# Bills of materials against their schemas, and the NTIA's minimum elements, as other people's validators see them.
# usage: sbomtools_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2")
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

# shellcheck source=tests/supply/release.sh
. "$source/tests/supply/release.sh"
make_bills() {
    make_release &&
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
check "a release is built, with its bills" make_bills
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
