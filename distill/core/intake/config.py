"""The section `data` of a project: files, columns, splits, the pool, junk and leaks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from distill.core.config import Config
from distill.core.config_values import Files, Share, become_paths
from distill.core.intake.junk_rules.registry import Rules


class Split(Config):
    """How records come to train, valid and test."""

    mode: Literal["given", "keys", "random"] = Field(
        "given", description="by files, by a seeded hash of each side's key, or by one of each row, whatever its keys"
    )
    keys: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="of data.keys, those that no two parts share (mode keys); null: all of them"
    )
    valid: Share = Field(0.1, description="share of the rows that remain for validation, when no file is given for it")
    test: Share = Field(0.2, description="share of the rows that remain for test (modes keys and random)")

    @property
    def makes_test(self) -> bool:
        """Whether validation and test are made of the training files."""
        return self.mode != "given"


class Junk(Config):
    """Rules that drop a record as junk; each counts under its own reason."""

    min_chars: NonNegativeInt = Field(1, description="fewer characters in all of a record's text: too_short")
    max_chars: PositiveInt = Field(1_000_000, description="more characters in all of a record's text: too_long")
    required: list[str] = Field(default_factory=list, description="fields that must not be empty: missing_field")
    repeated: Share = Field(
        0.0, description="share of distinct words under this in texts of 20 words on: repeated_text"
    )
    patterns: list[str] = Field(default_factory=list, description="regular expressions found in any field: pattern")
    rules: Rules = Field(default_factory=dict, description="rules by name, each of a kind, tried in their order")


class MadePairs(Config):
    """New pairs of sides that are there: of each left side with right sides of other rows, so many of each kind."""

    of: Files = Field(
        default_factory=lambda: ["train"],
        description="where sides come from: train, and files or globs with the columns of one side or of both",
    )
    exact: NonNegativeInt = Field(1, description="with the same key, or the same first field of the card")
    neighbours: NonNegativeInt = Field(3, description="with the most similar card text, whatever its key")
    hard: NonNegativeInt = Field(
        1, description="with the most similar card text of another key and another first field of the card"
    )
    random: NonNegativeInt = Field(1, description="with any")
    seed: NonNegativeInt | None = Field(None, description="of the choice among equals and at random; null: seed")

    @model_validator(mode="after")
    def _makes_pairs(self) -> MadePairs:
        if not any((self.exact, self.neighbours, self.hard, self.random)):
            raise ValueError("neighbours: with exact, hard and random at 0 too there is no pair to make")
        return self


class PoolSource(Config):
    """Where a part of the unlabelled pool comes from: files of pairs, or pairs that are made."""

    files: Files | None = Field(None, description="files or globs, relative to data.root")
    pairs: MadePairs | None = Field(None, description="instead of files: pairs made of sides that are there")
    rows: PositiveInt | None = Field(None, description="keep a seeded sample of this many rows, after cleaning")
    pairing: Literal["given", "neighbours"] = Field(
        "given", description="keep the rows' own pairs, or pair each left side with a similar right side of another row"
    )

    @model_validator(mode="after")
    def _from_one_place(self) -> PoolSource:
        if self.files is None and self.pairs is None:
            raise ValueError("files: missing; name files of pairs, or let pairs be made with pairs: {}")
        if self.files is not None and self.pairs is not None:
            raise ValueError("pairs: files are named too; remove one of the two")
        if self.pairs is not None and self.pairing != "given":
            raise ValueError("pairing: how rows of files are paired; pairs has exact, neighbours, hard and random")
        return self

    @property
    def read_files(self) -> list[str]:
        """The files or globs that it reads; none where pairs are made of the training rows alone."""
        return (self.files or []) if self.pairs is None else [one for one in self.pairs.of if one != "train"]


def _pool_source(value: Any) -> Any:
    return {"files": value} if isinstance(value, str | list) else value


class Near(Config):
    """What a near duplicate is, by Jaccard index of word shingles, and what becomes of rows that are one."""

    jaccard: Annotated[float, Field(ge=0.5, le=1)] = Field(
        0.8, description="share of shingles of either row that both have, on each side, from which on they are alike"
    )
    words: Annotated[int, Field(ge=1, le=20)] = Field(3, description="words of a shingle")
    on_pool: Literal["drop", "count"] = Field(
        "drop", description="pool rows whose document is like that of an earlier pool row: drop them, or count them"
    )
    on_leak: Literal["count", "fail"] = Field(
        "count",
        description="test rows whose card is like one of train, valid or the pool: count them, or fail at them",
    )


class Data(Config):
    """Where the records are and which columns mean what."""

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows: given, or held out of training."""
        return self.valid is not None or self.split.valid > 0

    root: str = Field(".", description="folder that all file names start from")
    id: str | None = Field(
        "id", description="column with a name for each record, unique over all files; null: a hash of its texts"
    )
    label: str = Field("label", description="column with the gold label, votes {label: n}, or a list (kind multi)")
    slice: str | None = Field(None, description="column to report by")
    keys: list[str] = Field(
        default_factory=list, description="identity column of each side; intervals draw their values"
    )
    train: Files = Field(description="labelled training files")
    valid: Files | None = Field(None, description="validation files")
    test: Annotated[dict[str, Files], become_paths("data.test")] = Field(
        default_factory=dict, description="named test sets"
    )
    extra: Annotated[dict[str, Files], become_paths("data.extra")] = Field(
        default_factory=dict, description="labelled files by name, learnt by the teachers whose `rows` name them alone"
    )
    pool: Annotated[dict[str, Annotated[PoolSource, BeforeValidator(_pool_source)]], become_paths("data.pool")] = Field(
        default_factory=dict, description="named sources of unlabelled records"
    )
    pool_exclude: Literal["pair", "side"] = Field(
        "pair", description="drop pool rows that share the whole pair, or one side's card text, with a test row"
    )
    split: Split = Field(default_factory=Split)
    junk: Junk = Field(default_factory=Junk)
    near: Near | None = Field(None, description="near duplicates: looked for as this says; null: not at all")
    against: str | None = Field(
        None, description="folder of an earlier run, or of records: the audit says what has changed since; from root"
    )
    contained: Share = Field(
        0.9, description="the audit warns of a source that shares so many of its rows with one before it"
    )
    encoding: str = Field("utf-8", description="text encoding of JSONL, CSV and TSV files")
    quotes: Literal["auto", "double", "none"] = Field(
        "auto", description="whether quotes hold the cells of CSV and TSV files together; auto: in CSV only"
    )
    on_bad_row: Literal["quarantine", "fail"] = Field("quarantine", description="what to do with an unreadable row")
    on_leak: Literal["fail", "drop_train"] = Field(
        "fail", description="training and validation rows whose document a test has too: stop at them, or drop them"
    )
    on_card_leak: Literal["drop", "fail", "keep"] = Field(
        "drop",
        description="pool, training and validation rows that read on cards as a row they are judged on, of a test or "
        "of validation: drop them, stop at them, or keep them",
    )
    on_valid_key: Literal["keep", "drop"] = Field(
        "keep", description="training rows that share a key with validation files: keep and name them, or drop them"
    )

    @model_validator(mode="after")
    def _has_tests(self) -> Data:
        if self.split.mode == "given" and not self.test:
            raise ValueError("test: name at least one test set, or set split.mode: keys")
        if self.split.mode == "keys" and not self.keys:
            raise ValueError("keys: split.mode keys needs the identity column of each side")
        if self.split.makes_test and (self.test or self.valid):
            mode = self.split.mode
            raise ValueError(f"test: split.mode {mode} makes valid and test itself; remove them or use mode given")
        if self.split.keys is not None and self.split.mode != "keys":
            raise ValueError("split.keys: they are for split.mode keys alone; remove them or set that mode")
        if unknown := sorted(set(self.split.keys or []) - set(self.keys)):
            raise ValueError(f"split.keys: {', '.join(unknown)} not among data.keys: {', '.join(self.keys) or 'none'}")
        if self.on_valid_key == "drop" and not self.keys:
            raise ValueError("on_valid_key: drop needs keys, the identity column of each side")
        if "train" in self.extra:
            raise ValueError("extra: 'train' names the training rows; choose another name")
        if self.split.valid + self.split.test >= 1:
            raise ValueError("split: valid and test leave no keys for training")
        return self
