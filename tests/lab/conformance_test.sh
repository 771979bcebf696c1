#!/usr/bin/env bash
# Tests of Kubernetes' own conformance suite, by name from conformance.txt, run from outside against the kubeconfig. Their
# images are those of the add-on (addon_test.sh add): nothing is pulled.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
grep '^  addons:' cluster.yaml >/dev/null || { echo "the add-on is not there: addon_test.sh add"; exit 77; }
readonly list=$LAB_TOP/tests/lab/conformance.txt shards=4 least=25
running=()

stop() {
    local status=$?
    [ "${#running[@]}" = 0 ] || kill "${running[@]}" 2>/dev/null
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Each test waits most of its time; the program itself runs one at a time, so several of it share the list.
shard() {
    local number=$1 focus
    # shellcheck disable=SC2016  # a regular expression
    focus=$(awk -v n="$number" -v all="$shards" 'NR % all == n' "$list" | sed 's/[][\.*^$()+?{}|/]/\\&/g' | paste -sd'|')
    exec "$work/e2e.test" --provider=skeleton --kubeconfig=kubeconfig --kubectl-path="$PWD/bin/kubectl" \
        --ginkgo.focus="$focus" --ginkgo.no-color --ginkgo.timeout=14m --report-dir="$work/conformance.$number" --disable-log-dump
}

run() {
    local e2e number status=0
    "$LAB_TOP/scripts/payloads" --profile minimal-test >"$work/payloads.log" 2>&1 || { cat "$work/payloads.log"; return 1; }
    e2e=$("$LAB_TOP/scripts/payloads" --path e2e-test/1.36.3/e2e.test) && install -m 755 "$e2e" "$work/e2e.test" || return 1
    rm -rf "$work"/conformance.*
    for number in $(seq 0 $((shards - 1))); do
        shard "$number" >"$work/conformance.$number.log" 2>&1 &
        running+=($!)
    done
    for number in "${!running[@]}"; do
        wait "${running[number]}" || { status=1; cat "$work/conformance.$number.log"; }
    done
    running=()
    grep -ahE '^Ran |^(SUCCESS|FAIL)!' "$work"/conformance.*.log
    return "$status"
}

# Names of the tests with that result, from the reports.
with_result() {
    python3 - "$1" "$work"/conformance.*/junit_01.xml <<'PY'
import sys
from xml.etree import ElementTree
for report in sys.argv[2:]:
    for case in ElementTree.parse(report).iter("testcase"):
        if case.get("status") == sys.argv[1] and case.get("name").startswith("[It] "):
            print(case.get("name")[5:], f"{float(case.get('time')):.1f} s", sep="\t")
PY
}

all_passed() {
    with_result passed | sort | tee "$work/conformance.passed" | awk -F'\t' '{ print $2 "\t" $1 }'
    diff "$list" <(cut -f1 "$work/conformance.passed") && [ "$(wc -l <"$work/conformance.passed")" -ge "$least" ]
}

begin=$SECONDS
check "the conformance tests end well" run
check "all $(wc -l <"$list") of the list ran and passed" all_passed
echo "$((SECONDS - begin)) s"
check "nothing tried to leave the lab" test "$(lab net egress)" = 0
summary
