"""Programs that run in environments of their own: each imports one peer, and nothing of this toolkit."""
