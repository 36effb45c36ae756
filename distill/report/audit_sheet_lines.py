"""What `distill sample --for audit` says: which gold labels are suspected, and what a judge makes of them."""

from __future__ import annotations

from distill.core.files import Json
from distill.report import formats
from distill.report.sample_lines import shown_kappa, shown_share

_LISTED = 10


def suspect_lines(found: Json) -> list[str]:
    """A sheet that was drawn."""
    rows = found["rows"]
    return [
        f"{found['teacher']} is confidently against the label of {found['suspects']} of {found['test_rows']} test "
        f"rows; by its own answers {found['expected']:.1%} of the labels are wrong",
        f"{rows['suspect']} of them and {rows['control']} other rows are in {found['sheet']}, in an order that tells "
        "nothing, without labels or answers",
        f"fill the column label with one of: {', '.join(found['labels'])}; leave the other columns as they are",
        f"key, which says which rows are suspected: {found['key']}",
    ]


def audit_lines(found: Json) -> list[str]:
    """A sheet that came back."""
    kinds = found["kinds"]
    lines = [
        f"{found['rows']} rows judged; the judge agrees with the gold label in {shown_share(found['agreement'])} of "
        f"{found['test_rows']} test rows, kappa {shown_kappa(found['kappa'])}: {shown_share(found['wrong'])} are wrong",
        "each row counts as often as it stands for suspected or other test rows (95% intervals of Wilson)",
        *(
            f"  {name}: {kinds[kind]['wrong']} of {kinds[kind]['rows']} wrong, {shown_share(kinds[kind]['share'])}"
            for kind, name in (("suspect", "suspected"), ("control", "others"))
        ),
        "accuracy and macro F1 on gold labels → with the judged labels in their place; accuracy as the judge estimates "
        f"it. The replaced labels are mostly those that {found['teacher']} is against, which favours models like it:",
        *map(_model, found["models"]),
    ]
    if "judges" in found:
        between = found["judges"]
        lines.append(
            f"the second judge agrees with the first on {shown_share(between['agreement'])} of {between['rows']} rows, "
            f"kappa {shown_kappa(between['kappa'])}"
        )
    listed = [f"  {one['id']}: {one['gold']}, judged {one['judged']}" for one in found["mistakes"][:_LISTED]]
    more = len(found["mistakes"]) - _LISTED
    return [*lines, *listed, *([f"  … and {more} more"] if more > 0 else [])]


def _model(one: Json) -> str:
    accuracy, f1 = one["accuracy"], one["f1_macro"]
    return (
        f"  {one['model']}: {formats.percent(accuracy['gold'])} → {formats.percent(accuracy['judged'])}, "
        f"{formats.percent(f1['gold'])} → {formats.percent(f1['judged'])}; {shown_share(one['estimated_accuracy'])}"
    )
