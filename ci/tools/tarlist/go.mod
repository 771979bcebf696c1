module caisson.invalid/tools/tarlist

go 1.26.8
