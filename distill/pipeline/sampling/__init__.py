"""`distill sample`: sheets of pool rows for people, and what comes back in them."""
