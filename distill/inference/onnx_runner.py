"""An exported graph run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import MissingExtra, UserError
from distill.inference.collate import Batch
from distill.inference.providers import AUTO, CPU, ProviderError, is_out_of_memory, open_session, used_by

_ON_CPU = {"providers": (CPU,)}
_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class OnnxRunner:
    """A classifier in ONNX Runtime: one session, operators in sequence, all graph optimisations.

    Args: path: a `.onnx` file. threads: of one operator; None leaves the choice to the runtime.
        facts: what may run it, as a bundle's manifest says it; see `distill.inference.providers`. provider: which of
        these, by its short name; `auto`: the first that starts. spinning: as in `open_session`.
    Attributes: provider: the execution provider in use.
    Raises: MissingExtra without onnxruntime. UserError when the file cannot be loaded or the provider is unavailable;
        ONNX Runtime itself would go on, on the CPU.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        facts: Mapping[str, Any] = _ON_CPU,
        provider: str = AUTO,
        spinning: bool = True,
    ) -> None:
        self.path = path
        self._session = _session(path, partial(open_session, path, facts, provider, threads, spinning=spinning))
        self.provider = used_by(self._session)
        self._inputs = {node.name: _INTEGERS[node.type] for node in self._session.get_inputs()}

    def logits(self, batch: Batch) -> NDArray[np.float32]:
        """Logits (B, C) of a batch (B, S); inputs that the graph does not have are left out."""
        feeds = {name: batch[name].astype(dtype, copy=False) for name, dtype in self._inputs.items()}
        output = self._session.run(None, feeds)[0]
        return np.asarray(output, dtype=np.float32)


def _session(path: Path, start: Callable[[], Any]) -> Any:
    try:
        return start()
    except ImportError:
        raise MissingExtra("ONNX Runtime", "cpu") from None
    except ProviderError as error:
        do = "leave --provider out, or make the machine ready for it"
        raise UserError("the file cannot run there", where=str(path), found=error, do=do) from error
    except Exception as error:  # the runtime's errors share no base but Exception
        if is_out_of_memory(error):
            raise
        raise UserError("cannot load the ONNX file", where=str(path), found=error, do="export it again") from error
