# Rounds (a list of objects) to the lines that people read.
def median: map(select(. != null)) | sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def of(f): map(f) | median;
def ratio(a; b): if a and b then a / b else null end;
def left(n): tostring | . + (" " * ([n - length, 0] | max));
def right(n): tostring | (" " * ([n - length, 0] | max)) + .;
def digits(n): . * pow(10; n) | round / pow(10; n);
def seconds(what; value; cpu):
    if value then "  \(what | left(58))\(value | digits(1) | right(8)) s\(if cpu then "\(cpu | digits(1) | right(9)) s" else "" end)"
    else empty end;
def goal(what; value; unit; limit; shown):
    if value then "  \(what | left(58))\(shown | right(8)) \(unit | left(4))  goal \(limit): \(if value <= limit then "met" else "MISSED" end)"
    else empty end;
"",
"bench install: \($head)",
"",
"  \("" | left(58))    time  machines' CPU",
seconds("a  caisson apply, from its first connection"; of(.apply); of(.apply_cpu)),
seconds("b  the floor: the next three"; of(.floor); of(.floor_cpu)),
seconds("     scp of the same bytes to all machines at once, sync"; of(.floor_scp); of(.floor_scp_cpu)),
seconds("     ctr import of the same images on all at once"; of(.floor_import); of(.floor_import_cpu)),
seconds("     start of everything in place by a plain script"; of(.floor_start); of(.floor_start_cpu)),
seconds("c  kubeadm, programs and images in place before"; of(.peer); of(.peer_cpu)),
"",
# round by round, so that what loads the host loads both sides
goal("a / b"; of(ratio(.apply; .floor)); ""; 1.25; of(ratio(.apply; .floor)) | digits(2)),
goal("a / c"; of(ratio(.apply; .peer)); ""; 1; of(ratio(.apply; .peer)) | digits(2)),
goal("peak memory of caisson"; of(.apply_memory / 1048576); "MiB"; 64; of(.apply_memory / 1048576) | digits(1)),
goal("peak memory of caisson-node"; of(.helper_memory / 1048576); "MiB"; 16; of(.helper_memory / 1048576) | digits(1)),
goal("bytes sent to a machine / bytes that it lacked (worst)"; of(.sent_ratio); ""; 1.02; of(.sent_ratio) | digits(4)),
goal("second apply, 0 changes"; of(.second_apply); "s"; 3; of(.second_apply) | digits(2)),
"  \("caisson-node: start to first answer" | left(58))\(of(.helper_start) | digits(1) | right(8)) ms",
"  \("caisson apply, its own processor time" | left(58))\(of(.apply_own_cpu) | digits(1) | right(8)) s",
"  \("load of the host before each a" | left(58))\(map(.load | tostring) | join(", "))"
