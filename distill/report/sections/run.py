"""The run itself: gates, latency, exported files, steps and machine."""

from __future__ import annotations

from distill.report import run_tables
from distill.report.contents import Report
from distill.report.markup import details, pairs
from distill.report.section import Section, TableSection
from distill.report.table_model import Sheet


class Gates(TableSection):
    """What the config requires."""

    name, title, position = "gates", "Gates", 30

    def sheet(self, report: Report) -> Sheet:
        """Every gate with both figures."""
        return run_tables.gate_sheet(report)


class Latency(TableSection):
    """How fast the models are."""

    name, title, position = "latency", "Latency", 140

    def sheet(self, report: Report) -> Sheet:
        """Every measurement with its conditions."""
        return run_tables.latency_sheet(report)


class ParityOfExports(TableSection):
    """How far the exported files are from PyTorch."""

    name, title, position = "parity", "Parity of exports", 150

    def sheet(self, report: Report) -> Sheet:
        """Every exported file."""
        return run_tables.parity_sheet(report)


class Stages(TableSection):
    """The steps of the run."""

    name, title, position = "stages", "Stages", 180

    def sheet(self, report: Report) -> Sheet:
        """Every step with its time."""
        return run_tables.stage_sheet(report)


class Environment(Section):
    """Where the run was made."""

    name, title, position = "environment", "Environment", 190

    def body(self, report: Report) -> str:
        """Versions, hardware and settings, folded away."""
        listed = pairs(run_tables.environment_items(report), class_="environment")
        return details("Versions, hardware and settings", listed)
