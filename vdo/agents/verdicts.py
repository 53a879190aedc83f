"""The result of the checks in words for a model."""

from __future__ import annotations

from vdo.outcome import CheckReport, CheckResult

MAX_OUTPUT = 20_000
"""Characters shown of one check's output: its end, where the errors are."""


def describe(report: CheckReport) -> str:
    """Without times: the same tree gives the same text."""
    if report.blocked:
        return f"the checks cannot be run at this moment: {report.blocked}. They will be run when you are done."
    if not report.results:
        return "this project has no checks yet"
    return "\n\n".join(_one(result) for result in report.results)


def _one(result: CheckResult) -> str:
    if result.passed:
        verdict = "passed"
    else:
        why = result.note or (f"exit code {result.exit_code}" if result.exit_code is not None else "")
        verdict = f"FAILED ({why})" if why else "FAILED"
    cut = len(result.output) - MAX_OUTPUT
    output = f"[{cut} characters left out]\n{result.output[-MAX_OUTPUT:]}" if cut > 0 else result.output
    return f"$ {result.command}\n{output.rstrip()}\n{verdict}"
