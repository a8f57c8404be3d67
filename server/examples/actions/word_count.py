"""Counts the words of a text, and tells how far it is."""

import json
import os
import sys

order = json.load(sys.stdin)
# Line by line, so that what is reported is seen at once.
reports = open(os.environ["RAINCHECK_REPORTS"], "w", buffering=1)


def report(**what):
    print(json.dumps(what), file=reports)


report(status="Counting")
lines = order["text"].splitlines()
if not lines:
    # Callers see code and message; what goes to standard error is for operators.
    report(failure={"code": "no-text", "message": "there is nothing to count"})
    print("the text has no lines", file=sys.stderr)
    sys.exit(3)
words = 0
for number, line in enumerate(lines, start=1):
    words += len(line.split())
    report(progress=100 * number / len(lines))
print(json.dumps({"words": words}))
