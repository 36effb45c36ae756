"""Who labels the shards of a store; a new engine is a new file here."""
