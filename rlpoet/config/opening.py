"""How a verb opens a model, and how it asks one without marks of its own: options that are the same in every verb that has them."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.ranges import Natural, Options


@dataclass(frozen=True, kw_only=True)
class OpeningOptions(Options):
    """Where a model runs and what may be done to get it.

    Attributes:
        device: auto, cpu, cuda or cuda:N; auto uses a GPU if there is one. A small Llama, such as the shipped models, stays on the CPU,
            where it has a fast path.
        allow_download: download a Hugging Face model that is not in the local cache.
        trust_remote_code: run the Python code that comes with a model, for an architecture that transformers does not have. Without this
            option such a model is refused.
        keep_gguf: keep a converted GGUF file in the user's cache folder, so that it opens in seconds the next time.
    """

    device: str = "auto"
    allow_download: bool = False
    trust_remote_code: bool = False
    keep_gguf: bool = True


@dataclass(frozen=True, kw_only=True)
class AskingOptions(Options):
    """What a plain model reads before the poem it is to write. A policy with marks of its own is asked by them, and takes none of these.

    Attributes:
        prompt_file: text file with the request for a poem; {form}, {scheme}, {syllables}, {author}, {theme} and {language} in it are filled
            in. By default the request is one line in the language.
        shots: number of example poems of the form in the prompt, each with its own request.
        data: corpora to take the example poems from: files, folders, hf:owner/name, gutenberg:NUMBER.
        chat: put the request and the examples into the turns of the model's chat template, for a chat model.
    """

    prompt_file: str | None = None
    shots: Natural = 0
    data: tuple[str, ...] = ()
    chat: bool = False
