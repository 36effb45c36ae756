"""MLflow: one MLflow run for each report, in a database of the run's own or on the server of MLFLOW_TRACKING_URI."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from distill.core.errors import MissingExtra
from distill.core.files import Json, sha256_json
from distill.report import formats
from distill.report.config_differences import flat
from distill.report.tracking import Tracked, Tracker

DATABASE = "mlflow.db"
_DIGEST = "distill.figures"
_NOT_IN_NAMES = re.compile(r"[^\w\-. /]")  # MLflow refuses the @ and > of models' names
_LONGEST = 500  # characters of a parameter
_PARAMS, _METRICS = 100, 1000  # that one request takes


class MLflow(Tracker):
    """Figures as metrics, the resolved project as parameters, the run folder's name as the experiment."""

    name = "mlflow"

    def require(self) -> None:
        """Raises: MissingExtra."""
        if find_spec("mlflow") is None:
            raise MissingExtra("report.trackers: mlflow", "mlflow")

    def write(self, run: Path, figures: Sequence[Tracked], config: Json) -> str:
        """Write an MLflow run, unless there is one of the same figures and project."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(run / DATABASE).resolve()}"
        client = MlflowClient(tracking_uri=place)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.resolve().name
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else client.create_experiment(name)
        digest = sha256_json([[one.name, one.value, one.step] for one in figures] + [config])
        if client.search_runs([experiment], filter_string=f"tags.`{_DIGEST}` = '{digest}'", max_results=1):
            return place
        made = client.create_run(experiment, run_name=run.resolve().name).info.run_id
        now = int(1000 * time.time())
        metrics = [Metric(_allowed(one.name), one.value, now, one.step) for one in figures]
        params = [Param(_allowed(key), formats.plain(value)[:_LONGEST]) for key, value in flat("", config).items()]
        for start in range(0, len(metrics), _METRICS):
            client.log_batch(made, metrics=metrics[start : start + _METRICS])
        for start in range(0, len(params), _PARAMS):
            client.log_batch(made, params=params[start : start + _PARAMS])
        client.log_batch(made, tags=[RunTag(_DIGEST, digest)])  # last: an MLflow run without it is not whole
        client.set_terminated(made)
        return place


def _allowed(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)
