from distill.report.page import page
from distill.report.quality_tables import comparison_sheet
from distill.report.seeds_table import spread_sheet
from distill.report.tables import markdown, markdown_results


def figure(*spread):
    return {"value": 0.5, "low": 0.4, "high": 0.6, **({"spread": list(spread)} if spread else {})}


def report_over(*spread):
    """A report of one student with figures that were `spread` over seeds 1 and 4, or of a single run."""
    positive = {"f1": 0.5, "f1_interval": [0.4, 0.6], **({"f1_spread": list(spread)} if spread else {})}
    student = {
        "name": "6L@card",
        "role": "student",
        "quality": {
            **dict.fromkeys(("accuracy", "f1_macro", "log_loss"), figure(*spread)),
            "per_class": {"b": positive},
        },
        "retention": {"card": figure(0.99, 1.03) if spread else figure(), "document": None},
    }
    compared = {"a": "6L@card", "b": "8L@card", "difference": 0.01, "low": 0.005, "high": 0.015, "p_value": 0.01}
    share, loss = ({**compared, "metric": metric} for metric in ("accuracy", "log_loss"))
    pairs = [{**one, "spread": [-0.002, 0.02]} if spread else one for one in (share, loss)]
    seeds = {"seeds": [1, 4]} if spread else {}
    return {"task": {"labels": ["a", "b"], "positive": "b"}, "models": [student], "comparisons": pairs, **seeds}


def test_the_lowest_and_the_highest_seed_of_every_figure():
    text = markdown(spread_sheet(report_over(0.45, 0.55)))
    assert "| `6L@card` | 45.00–55.00 | 45.00–55.00 | 45.00–55.00 | 0.4500–0.5500 | – | 99.00–103.00 |" in text
    assert "seeds 1, 4" in spread_sheet(report_over(0.45, 0.55)).caption


def test_the_lowest_and_the_highest_seed_of_every_difference():
    text = markdown(comparison_sheet(report_over(0.45, 0.55)))
    assert "−0.20…+2.00" in text and "−0.0020…+0.0200" in text


def test_page_and_markdown_show_the_seeds_of_a_run_that_repeats_them():
    report = report_over(0.45, 0.55)
    assert "Over the seeds" in page(report) and "## Over the seeds" in markdown_results(report, "Results")


def test_a_single_run_has_no_such_table():
    report = report_over()
    assert not spread_sheet(report).rows and "by seed" not in markdown(comparison_sheet(report))
    assert "Over the seeds" not in page(report) and "Over the seeds" not in markdown_results(report, "Results")
