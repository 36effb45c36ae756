"""A run of words alone, which tests of what is measured afterwards share."""

from tests.pipeline.word_project import words as words
