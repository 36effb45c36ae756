"""A teacher of words on documents, and a store of its labels: cheap enough to be labelled many times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.labelling import Labelling
from distill.core.run_folder import LABEL_CARD
from distill.core.storage import Storage, storage
from distill.families.family import fit
from distill.families.tfidf import Tfidf
from teachers.config import LabellingConfig
from teachers.label import LabelOptions, label
from tests.families.lessons import toy_lesson
from tests.training.toy import DOCUMENT, write_unlike_toy


@dataclass(frozen=True)
class Words:
    """Attributes: records: 24 training and 40 pool rows, 7 shards. whole: their labels, which nothing disturbed."""

    teacher: Path
    records: Path
    whole: Path
    shard_rows: int = 10

    def label(self, folder: Path, **asked) -> None:
        """Label into a folder as `labelling` of a project asks."""
        folder.mkdir(parents=True, exist_ok=True)
        config = LabellingConfig(shard_rows=self.shard_rows, precision="fp32")
        label(config, self.teacher, self.records, 1, folder, LabelOptions(labelling=Labelling(**asked)))

    def kept(self, url: str, name: str) -> Storage:
        """Where the shards of a store of this name are kept."""
        with TemporaryDirectory() as folder:
            self.label(Path(folder, name), store=f"{folder}/kept")
            (found,) = Path(folder, "kept", "labels").iterdir()
        return storage(url) / "labels" / found.name

    def is_whole(self, folder: Path) -> bool:
        """Whether a folder holds the same files, byte by byte, and no other."""
        return contents(folder) == contents(self.whole)


def contents(folder: Path) -> dict[str, bytes]:
    """All files by name, but the card, which says when and how fast they were made."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LABEL_CARD)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def words_teacher(root: Path, pool: int = 40, every: int = 0) -> Words:
    """Made below a folder. Args: every: so many rows of the pool one reads like a training row; 0: none."""
    records = write_unlike_toy(root / "records", pool=pool, every=every)
    teacher = root / "teachers" / "words"
    teacher.mkdir(parents=True)
    fit("tfidf", Tfidf.Settings(), toy_lesson(records, DOCUMENT, "document"), teacher)
    words = Words(teacher, records, root / "whole")
    words.label(words.whole)
    return words
