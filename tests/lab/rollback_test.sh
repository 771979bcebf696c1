#!/usr/bin/env bash
# An operator's mistake that only the unit itself finds: its generation does not become ready, and the node goes back.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
first=$(hosts | head -n 1)
cp cluster.yaml "$work/good.yaml"

apply_fails() {
    local code begin=$SECONDS
    bin/caisson apply >"$work/rollback.out" 2>"$work/rollback.log"
    code=$?
    took=$((SECONDS - begin))
    [ "$code" = 1 ] || { echo "exit $code"; cat "$work/rollback.log"; return 1; }
}

says() { grep -E -- "$1" "$work/rollback.log" >/dev/null || { cat "$work/rollback.log"; return 1; }; }

# The unit that runs now was started by the generation of before.
runs_as_before() {
    [ "$before" = "$(on "$first" readlink /var/lib/caisson/current)" ] || { echo "another generation"; return 1; }
    units_run "$first"
}

others_untouched() { [ "$(grep -v "^$first " <<<"$ran")" = "$(invocations | grep -v "^$first ")" ]; }

before=$(on "$first" readlink /var/lib/caisson/current)
ran=$(invocations)
took=0
override_kubelet evictionHardMemory much
check "apply of a kubelet that cannot start fails with exit status 1" apply_fails
echo "it took $took s"
check "long before the unit's deadline of 120 s" [ "$took" -lt 90 ]
check "it says which unit of which host failed" says "error: .*$first.*kubelet.service"
check "with the unit's own words" says 'kubelet.*command failed'
check "and that the generation of before runs again" says "; generation ${before##*/} runs again"
check "the node runs as before" within 60 runs_as_before
check "the other hosts were not touched" others_untouched
check "all nodes are Ready" within 120 nodes_ready
check "plan still shows the change" bash -c 'bin/caisson plan >/dev/null 2>&1; [ $? = 2 ]'
cp "$work/good.yaml" cluster.yaml
check "with the mistake undone apply says 0 changes" settled
summary
