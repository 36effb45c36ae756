"""What a bundle and a report may say of the data: licences, real texts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat

from distill.core.config import Config

NOT_STATED = "not stated"


def spdx(text: str) -> str:
    """A licence in the form of SPDX: `apache-2.0 or mit` is `Apache-2.0 OR MIT`.

    Raises: ValueError for what is no SPDX licence expression.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        do = "take an id of spdx.org/licenses, or LicenseRef-NAME for one that is not listed there"
        raise ValueError(f"'{text}' is no SPDX licence expression; {do}") from None


License = Annotated[str, AfterValidator(spdx)]


class BundleConfig(Config):
    """What the hand-off says of itself."""

    license: License | None = Field(None, description="SPDX licence of the model; null: the bundle says not stated")
    data_licenses: dict[str, License] = Field(
        default_factory=dict, description="SPDX licence of the rows of train, valid, test, extra, pool or one of them"
    )
    golden: Literal["synthetic", "test"] = Field(
        "synthetic", description="golden records: synthetic, or test cards too, whose texts then leave with the bundle"
    )

    def license_of(self, source: str) -> str:
        """The licence of a source's rows. Args: source: such as `pool.urls`."""
        return self.data_licenses.get(source) or self.data_licenses.get(source.partition(".")[0]) or NOT_STATED


class ReportConfig(Config):
    """What the report, the quarantine and the bundle show of the data."""

    texts: bool = Field(True, description="may hold values of rows; false: no text of a row leaves the run's records")
    price_per_hour: NonNegativeFloat | None = Field(
        None,
        description="price of an hour of the machine that was timed; the page then says what a million records cost",
    )
    trackers: list[str] = Field(
        default_factory=list, description="where the figures of a finished run go besides: tensorboard, mlflow"
    )


def publishing_problems(bundle: BundleConfig, report: ReportConfig, data: Any, fields: set[str]) -> list[str]:
    """What does not go together, each line with its key first. Args: data: the section. fields: all views' fields."""
    parts = {"test": data.test, "pool": data.pool, "extra": data.extra}
    known = ["train", "valid", *(one for one, held in parts.items() if held)]
    known += [f"{part}.{name}" for part, held in parts.items() for name in held]
    found = [
        f"bundle.data_licenses: no such source '{name}', known: {', '.join(known)}"
        for name in bundle.data_licenses
        if name not in known
    ]
    if report.texts:
        return found
    if bundle.golden == "test":
        found.append("bundle.golden: test puts texts of rows into the bundle, and report.texts is false; remove one")
    for key in ("id", "slice"):
        column = getattr(data, key)
        if column in fields:
            do = "leave it out, and rows have a hash for an id" if key == "id" else "name another column, or none"
            found.append(f"report.texts: false, but data.{key} names '{column}', a text that views read; {do}")
    return found
