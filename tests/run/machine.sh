#!/bin/sh
# What sshd runs for every login of the tests: the client's own command, with the address' folder as the machine's root.
root=${0%/*}/${SSH_CONNECTION#* * }
root=${root% *}
mode=$(cat "$root/mode")
case $mode in
refuse)
    echo "sudo: a password is required" >&2
    exit 1
    ;;
hang) exec sleep 600 ;;
deaf)
    echo "caisson need"
    exec sleep 600
    ;;
chatter) echo "Welcome to this machine" ;;
esac
echo $$ >"$root/pid"
exec sh -c "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed "s,/var/lib/caisson,$root&,g; s,\"\$P\" serve,& --root $root,")"
