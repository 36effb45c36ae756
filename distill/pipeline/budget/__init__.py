"""`distill bench --latency-budget`: the best student whose requests stay within so many milliseconds."""
