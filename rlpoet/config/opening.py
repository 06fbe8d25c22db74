"""How a verb opens a model: one group of options, the same in every verb that has one."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.ranges import Options


@dataclass(frozen=True, kw_only=True)
class OpeningOptions(Options):
    """Where a model runs and what may be done to get it.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one, but a small Llama, which the shipped models are, stays
            on the CPU and its fast path.
        allow_download: fetch a Hugging Face model that the local cache does not hold.
        trust_remote_code: run the Python code that a model brings with it, for an architecture that transformers does not have. Off, such
            a model is refused; nothing is asked.
        keep_gguf: keep a converted GGUF file in the user's cache folder, so that it opens in seconds from then on.
    """

    device: str = "auto"
    allow_download: bool = False
    trust_remote_code: bool = False
    keep_gguf: bool = True
