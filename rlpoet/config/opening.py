"""How a verb opens a model, and how it asks one without marks of its own: options that are the same in every verb that has them."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.ranges import Natural, Options


@dataclass(frozen=True, kw_only=True)
class OpeningOptions(Options):
    """Where a model runs and what may be done to get it.

    Attributes:
        device: auto, cpu, cuda or cuda:N; auto takes a GPU where there is one, but a small Llama, which the shipped models are, stays
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


@dataclass(frozen=True, kw_only=True)
class AskingOptions(Options):
    """What a plain model reads before the poem it is to write. A policy with marks of its own is asked by them, and takes none of these.

    Attributes:
        prompt_file: text file that asks for a poem, with {form}, {scheme}, {syllables}, {author}, {theme} and {language} where these go;
            by default one line in the language.
        shots: poems of the form to show before the one that is asked for, each with its request.
        data: corpora to take these poems from: files, folders, hf:owner/name, gutenberg:NUMBER.
        chat: put request and poems into the turns of the model's chat template, for a model that was taught to talk.
    """

    prompt_file: str | None = None
    shots: Natural = 0
    data: tuple[str, ...] = ()
    chat: bool = False
