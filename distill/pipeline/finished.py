"""What a verb needs to be finished before, because it makes none of it itself."""

from __future__ import annotations

from distill.core.errors import UserError
from distill.core.run_folder import AUDIT, EVALUATION, PREDICTIONS
from distill.core.steps import Steps
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.seeds import seed_runs
from distill.pipeline.settings import Settings


def require_labels(settings: Settings) -> None:
    """Check that the labels that rows are selected by are made, in each seed's run. Raises: UserError naming steps."""
    do = "make them with the same options: distill label"
    _require(settings, "label", "there are no labels to select by yet", do)


def require_models(settings: Settings) -> None:
    """Check that models are fitted, so that reading them through another view trains nothing. Raises: UserError."""
    what = "only finished models are read through another view, and nothing is trained for it"
    _require(settings, "evaluate", what, "make the run with the same options first: distill evaluate, without --view")


def _require(settings: Settings, until: str, what: str, do: str) -> None:
    for run in seed_runs(settings):
        steps = Steps(run.run, {}, {})
        stages = stages_until(list(plan(Experiment(run))), until)
        needed = [stage.step for stage in stages if not _is_made_again(stage.step.artifact, until)]
        if missing := [step.name for step in needed if not steps.is_done(step)]:
            found = f"not made, or of other settings: {', '.join(missing)}"
            raise UserError(what, where=str(run.run), found=found, do=do)


def _is_made_again(artifact: str, until: str) -> bool:
    """Whether the verb makes this artifact itself: the audit, which trains nothing and which every new view changes.

    Of `evaluate` predictions and figures too.
    """
    of_figures = artifact.startswith(f"{PREDICTIONS}/") or artifact == EVALUATION
    return artifact == AUDIT or (until == "evaluate" and of_figures)
