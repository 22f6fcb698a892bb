# SPDX-License-Identifier: Apache-2.0
# summary.awk - one readable end for a ctest run: every failed and every skipped case by name, with what it printed as the reason, and a
# last line of counts.
#
#    awk -v preset=NAME -f summary.awk junit.xml LastTest.log      both written by ctest
#
# A cmocka program counts as its cases, anything else as one. A program that died before cmocka could name a case (a crash, a
# sanitizer, a timeout) counts as one failure.

FNR == NR {
    if (match($0, /<testcase name="[^"]*"/))
        name = substr($0, RSTART + 16, RLENGTH - 17)
    if ($0 ~ /<skipped message="SKIP_RETURN_CODE/)
        not_run[name] = "skipped"
    else if ($0 ~ /<skipped message="/)
        not_run[name] = "missing"
    next
}

/^[0-9]+\/[0-9]+ Test: / {
    program = $0
    sub(/^[0-9]+\/[0-9]+ Test: /, "", program)
    programs++
    cases = failures = 0
    said = ""
    in_output = listing = 0
    next
}
/^Output:$/ && !in_output { in_output = 1; next }
/^<end of output>$/       { in_output = 0; next }

in_output && /^\[ RUN      \] / { said = ""; listing = 0; next }
in_output && /^\[  PASSED  \] / { listing = 1; next } # from here cmocka lists again what it has said
in_output && !listing && /^\[       OK \] / { cases++; passed++; next }
in_output && !listing && /^\[  SKIPPED \] / {
    cases++
    skips[++skipped] = program ": " $4 (said != "" ? ": " said : "")
    next
}
in_output && !listing && /^\[  FAILED  \] / {
    cases++
    failures++
    fails[++failed] = program ": " $4
    next
}
in_output && !/^-+$/ && !/^\[/ && NF { said = $0 }

/^Test Passed\.$/ {
    if (not_run[program] == "missing")
        fails[++failed] = program ": not built"
    else if (not_run[program] == "skipped")
        skips[++skipped] = program (said != "" ? ": " said : "")
    else if (!cases)
        passed++
}
/^Test Failed\.$/ && !failures { fails[++failed] = program (said != "" ? ": " said : " (died; its output is above)") }

END {
    for (i = 1; i <= skipped; i++)
        print "skipped " skips[i]
    for (i = 1; i <= failed; i++)
        print "FAILED  " fails[i]
    printf "%s: %d passed, %d failed, %d skipped, in %d test programs\n", preset, passed, failed, skipped, programs
    exit failed > 0
}
