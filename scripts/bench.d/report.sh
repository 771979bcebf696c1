# shellcheck shell=bash disable=SC2154 # names set by ../bench and common.sh
# Medians, ratios, goals. Sourced by ../bench.

report() {
    jq -rs --arg head "$(report_head)" --from-file "$BENCH_LIB/report.jq" "$DIR"/round-*.json
}

report_head() {
    printf '%s+%s lab machines, %s rounds, %s processors, load %s at the end' "$PLANES" "$WORKERS" "$ROUNDS" "$(nproc)" \
        "$(cut -d' ' -f1-3 /proc/loadavg)"
}
