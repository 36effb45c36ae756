"""Answers for files of any size: rows in shards, shards by processes, one file of answers at the end."""
