"""A report as a decision record: claim, catch, decision, evidence."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.core.sealed import write_sealed
from distill.pipeline.findings import reported
from distill.report.decision_record import decision_record
from distill.report.questions import answers
from tests.report.sample import sample_report


def parts(text):
    """The lines under each heading of the second level."""
    found = {}
    for part in text.split("\n## ")[1:]:
        title, _, body = part.partition("\n\n")
        found[title] = body.splitlines()
    return found


def test_the_record_has_its_four_parts_in_order_and_each_answer_once():
    report = sample_report()
    text = decision_record(report, "runs/`x`")
    assert text.startswith(
        "# Decision record\n\nStatus: every gate passed. Run: runs/\\`x\\`.\n\n## Claim\n\n- 8L_trunc@card"
    )
    found = parts(text)
    assert list(found) == ["Claim", "Catch", "Decision", "Evidence"]
    lost, where, noise, gained, decided = answers(report)
    assert found["Claim"][1:3] == [f"- {lost.text}", f"- {gained.text}"]
    assert found["Catch"][:2] == [f"- {where.text}", f"- {noise.text}"] and "- All 5 gates passed." in found["Catch"]
    assert [line for line in found["Decision"] if line] == [f"- {one}" for one in decided.sentences]
    titles = [line for line in found["Evidence"] if line.startswith("### ")]
    assert titles == [
        f"### {title}"
        for title in (
            "Quality and speed", "Gates", "Comparisons", "Each class", "Each slice", "Operating points", "Latency",
            "Parity of exports", "Rows",
        )
    ]  # fmt: skip
    assert found["Evidence"][-1].startswith("Environment: cpu 2 × Zen 4")


def test_a_failed_gate_is_the_status_and_the_decision():
    report = sample_report()
    report["gates"][2]["passed"] = False
    text = decision_record(report, "run")
    assert "Status: failed." in text and parts(text)["Decision"][0].startswith("- Nothing is handed over: 1 of 5 gates")


def test_an_empty_report_has_a_record_too():
    assert decision_record({}, "run") == (
        "# Decision record\n\nStatus: open: not everything was measured. Run: run.\n\n## Claim\n\n"
        "- No model has been measured yet.\n\n## Catch\n\n- No gates were checked.\n"
    )


def test_the_verb_prints_or_writes_it_and_refuses_what_is_no_form(tmp_path):
    write_sealed(tmp_path / "report.json", sample_report())
    printed = reported(tmp_path, "md")
    assert "\n".join(printed.parts[0]) + "\n" == decision_record(sample_report(), str(tmp_path))
    written = tmp_path / "out" / "decision.md"
    assert reported(tmp_path, "md", written).parts == [f"decision record: {written}"]
    assert written.read_text(encoding="utf-8").startswith("# Decision record")
    with pytest.raises(UserError, match="format"):
        reported(tmp_path, "pdf")
    with pytest.raises(UserError, match="without --format md"):
        reported(tmp_path, "tables", written)
