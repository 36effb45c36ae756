"""The run itself: gates, latency, exported files, steps and machine."""

from __future__ import annotations

from distill.report import factors_table, latency_plot, layouts_table, lineage_table, run_tables
from distill.report.contents import Report
from distill.report.markup import details, pairs, table
from distill.report.section import Section, TableSection
from distill.report.table_model import Sheet


class Gates(TableSection):
    """What the config requires."""

    name, title, position = "gates", "Gates", 30

    def sheet(self, report: Report) -> Sheet:
        """Every gate with both figures."""
        return run_tables.gate_sheet(report)


class Latency(Section):
    """How fast the models are."""

    name, title, position = "latency", "Latency", 140

    def body(self, report: Report) -> str:
        """The spread of single requests, every measurement with its conditions, where speed-ups come from, layouts."""
        more = [factors_table.factors_sheet(report), layouts_table.layouts_sheet(report)]
        tables = [run_tables.latency_sheet(report), *(sheet for sheet in more if sheet.rows)]
        return latency_plot.figure(report) + "".join(map(table, tables))


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


class Lineage(Section):
    """What the bundles were made from."""

    name, title, position = "lineage", "Lineage", 185

    def body(self, report: Report) -> str:
        """Files of data, encoder and artifacts with their hashes, for each bundle."""
        return "".join(table(lineage_table.lineage_sheet(entry)) for entry in lineage_table.lineages_of(report))


class Environment(Section):
    """Where the run was made."""

    name, title, position = "environment", "Environment", 190

    def body(self, report: Report) -> str:
        """Versions, hardware and settings, folded away."""
        listed = pairs(run_tables.environment_items(report), class_="environment")
        return details("Versions, hardware and settings", listed)
