#!/usr/bin/env bash
# An old release, validly signed, comes from an admin host that has never seen the cluster: the cluster remembers. The way
# back that the installed release allows. Only the number of the release differs, so no unit is touched in all this.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
other=$work/other first=$(hosts | head -n 1)
rm -rf "$other" && mkdir -p "$other/config/caisson" || exit 1

# build FILE SEQUENCE [OPTION]...
build() {
    bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal.yaml" --bundles "$LAB_TOP/bundles" --key release.key \
        --sequence "$2" --out "$1" "${@:3}" >"$work/floor.log" 2>&1 || { cat "$work/floor.log"; return 1; }
}

# run STATUS COMMAND...: caisson of this admin host. there: of the other one, which has the files that go into git, the vault
# and the operator's key, and nothing that was remembered.
run() {
    local want=$1 code
    shift
    bin/caisson "$@" >"$work/floor.out" 2>"$work/floor.log"
    code=$?
    [ "$code" = "$want" ] && return
    echo "exit $code"
    cat "$work/floor.out" "$work/floor.log"
    return 1
}
there() {
    local want=$1 bundle=$2
    shift 2
    sed -E "s|^( *release:).*|\1 $work/$bundle|" cluster.yaml >"$other/cluster.yaml"
    XDG_CONFIG_HOME=$other/config run "$want" "$@" --config "$other/cluster.yaml"
}
says() { grep -F -- "$1" "$work/floor.out" "$work/floor.log" >/dev/null || { cat "$work/floor.out" "$work/floor.log"; return 1; }; }

# remembered SEQUENCE: by every control-plane node, in a file that is nobody else's business.
remembered() {
    local h
    for h in $(hosts | grep '^cp-'); do
        [ "$(on "$h" cat /var/lib/caisson/floors | jq '."caisson/minimal".sequence')" = "$1" ] || { on "$h" cat /var/lib/caisson/floors; return 1; }
        [ "$(on "$h" stat -c %a /var/lib/caisson/floors)" = 600 ] || return 1
    done
}

refused() { there 4 old.tar "$@" && says "E_ROLLBACK: release 0.$old of caisson/minimal is older than 0.$new" && says "--allow-rollback 0.$old"; }
nothing_changed() {
    remembered "$new" && [ "$ran" = "$(invocations)" ] && [ "$generation" = "$(on "$first" readlink /var/lib/caisson/current)" ] &&
        [ ! -e "$other/.caisson/floors.json" ]
}
receipt() { tail -n 1 "$1/.caisson/receipts.jsonl" | jq -e "$2" >/dev/null || { cat "$1/.caisson/receipts.jsonl"; return 1; }; }

old=$(($(sequence_of minimal.csn.tar) + 1)) new=$((old + 1))
ran=$(invocations)
generation=$(on "$first" readlink /var/lib/caisson/current)
cp -r "${XDG_CONFIG_HOME:-$HOME/.config}/caisson/keys" "$other/config/caisson/" && cp id_ed25519 known_hosts secrets.vault release.pub "$other/" || exit 1
check "two releases" build "$work/old.tar" "$old"
check "the newer of which allows a return" build minimal.csn.tar "$new" --rollback-to "0.$old"
check "another one of the same number" build "$work/twin.tar" "$new" --source-date-epoch 1700000000
check "and one with a number out of all proportion" build "$work/far.tar" "$((new + 10001))"

check "plan says that the newer one will be remembered" run 2 plan
check "and nothing else" diff <(grep -c . "$work/floor.out") <(echo 2)
check "apply" run 0 apply
check "every control-plane node remembers it" remembered "$new"
check "a receipt says what was verified" receipt . ".bundles[0].sequence == $new and .cluster != null and (.time | length > 0)"
check "again: 0 changes" settled

check "plan of the older one on a new admin host is refused" refused plan
check "apply as well" refused apply
check "a return to yet another one too" refused apply --allow-rollback 0.1
check "the word is a field of the error" there 4 old.tar apply -o json
check "in JSON" says '"code":"E_ROLLBACK"'
check "another release of the same number is refused" there 4 twin.tar apply
check "by its name" says "E_ROLLBACK: another release 0.$new"
check "a jump is refused" there 4 far.tar apply
check "by its name, too" says E_FASTFORWARD
check "nothing was changed by all that" nothing_changed

check "the return that both allow" there 0 old.tar apply --allow-rollback "0.$old"
check "every control-plane node remembers the older one" remembered "$old"
check "the receipt says that it was allowed" receipt "$other" ".allowRollback == [{\"epoch\": 0, \"sequence\": $old}]"
check "no unit was started again" [ "$ran" = "$(invocations)" ]
check "and forward again, from the first admin host" run 0 apply
check "which all remember" remembered "$new"
check "apply says 0 changes and starts nothing again" settled
rm -rf "$other" "$work"/{old,twin,far}.tar
summary
