"""From a project file to a finished run: the experiment, its plan, and how the plan is carried out."""
