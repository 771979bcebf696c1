#!/usr/bin/env bash
# reset takes off everything that an install brought: each machine is as it was before.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
own_lab --control-planes 1 --workers 1

state_of() { on "$1" bash -s <"$LAB_TOP/tests/lab/machine_state.sh" >"$1.$2" && [ "$(wc -l <"$1.$2")" -gt 1000 ]; }

install() { bin/caisson apply >apply.log 2>&1 || { cat apply.log; return 1; }; }

# The comparison can fail: an installed machine is another one.
differs() {
    local part
    diff "$1.before" "$1.installed" >"$1.diff"
    for part in files units mounts network processes; do
        grep -q "^> $part: " "$1.diff" || { echo "no new $part"; return 1; }
    done
}

same() { diff "$1.before" "$1.after" >"$1.diff" || { head -n 40 "$1.diff"; return 1; }; }

reset() { bin/caisson reset --yes >reset.log 2>&1 || { cat reset.log; return 1; }; }

for h in $(hosts); do
    check "look at $h" state_of "$h" before
done
check "install" install
for h in $(hosts); do
    check "look at $h" state_of "$h" installed
    check "the install shows on $h" differs "$h"
done
check "reset" reset
for h in $(hosts); do
    check "look at $h" state_of "$h" after
    check "$h is as it was before" same "$h"
done
check "reset again has nothing to do" reset
check "a machine that was reset takes an install again" install
summary
