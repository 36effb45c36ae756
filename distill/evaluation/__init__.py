"""Quality figures and what they decide: metrics, intervals, calibration, comparisons, gates. No torch."""
