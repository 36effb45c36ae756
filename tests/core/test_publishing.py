"""Licences as SPDX writes them, and what of a bundle and a report does not go together."""

import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.project import Project
from distill.core.publishing import BundleConfig, spdx
from tests.core.rejected_measuring import TASK

VIEW = {"left": ["product.title"], "right": ["page.title"], "max_tokens": 64}
DATA = {
    "train": "train.jsonl",
    "test": {"unseen": ["test.jsonl"]},
    "pool": {"urls": {"files": "urls.jsonl"}, "old": {"files": "old.jsonl"}},
}


def project(data=(), **sections):
    views = {"document": VIEW, "card": VIEW}
    return parse(Project, {"task": TASK, "data": {**DATA, **dict(data)}, "views": views, **sections}, "project.yaml")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit or Apache-2.0", "MIT OR Apache-2.0"),
        ("LicenseRef-Ours", "LicenseRef-Ours"),
    ],
)
def test_a_licence_is_written_as_spdx_writes_it(given, written):
    assert spdx(given) == written and BundleConfig(license=given).license == written


def test_sources_have_their_own_licence_or_that_of_their_kind_and_nothing_is_made_up():
    bundle = project(bundle={"data_licenses": {"pool": "cc0-1.0", "pool.urls": "cc-by-4.0"}}).bundle
    told = [bundle.license_of(name) for name in ("pool.urls", "pool.old", "train")]
    assert told == ["CC-BY-4.0", "CC0-1.0", "not stated"] and bundle.license is None


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"bundle": {"license": "apache"}}, "bundle.license: 'apache' is no SPDX licence expression; take an id of"),
        ({"bundle": {"data_licenses": {"pool": "public"}}}, "bundle.data_licenses.pool: 'public' is no SPDX licence"),
        (
            {"bundle": {"data_licenses": {"pools": "MIT"}}},
            "bundle.data_licenses: no such source 'pools', known: train, valid, test, pool, test.unseen, pool.urls",
        ),
        ({"bundle": {"golden": "test"}, "report": {"texts": False}}, "bundle.golden: test puts texts of rows into the"),
        (
            {"data": {"id": "page.title"}, "report": {"texts": False}},
            "report.texts: false, but data.id names 'page.title', a text that views read; leave it out",
        ),
        ({"data": {"slice": "page.title"}, "report": {"texts": False}}, "report.texts: false, but data.slice names"),
    ],
)
def test_what_does_not_go_together_is_refused(sections, message):
    with pytest.raises(UserError) as caught:
        project(**sections)
    assert f"  - {message}" in str(caught.value)
