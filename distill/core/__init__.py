"""Records, views, stores, figures and the step contract; nothing here knows a model."""
