r"""The poem in what a model answered: a text or a chat, without reasoning, special tokens and code fences.

What is left is the poem as its reader would see it. Nothing else is mended: words before the poem, a title, or a line too many stay, and
the rewards see them.

| in the answer | what is done |
| --- | --- |
| a chat | the last message of the assistant that has a text; tool messages and tool calls are none |
| a list of parts | the parts that are text, one below the other; reasoning, images and tool calls are none |
| ``<think> ... </think>``, ``[THINK]``, ``<reasoning>`` ... | left out; where only the closing mark is there, all before it |
| a reasoning that does not close | the answer ends where it begins |
| ``<answer> ... </answer>`` | the last such part alone |
| ``<\|im_end\|>``, ``</s>``, ``<end_of_turn>`` and other end marks | the answer ends at the first one |
| marks and role names before the answer | left out |
| a code fence | what stands in the last one alone |
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Completion = str | Mapping[str, Any] | Sequence[Any] | None  # a text, a message, messages, parts of a message, or nothing

# Special tokens: <|im_end|>, DeepSeek's full-width bars, sentencepiece's and BERT's marks. A poet's <b> or [sic] is none.
SPECIAL = (
    r"<[|｜][^|｜<>\s]*[|｜]>|<\|?channel\|?>"
    r"|</?(?:s|bos|eos|pad|unk|sep|cls|eod|eot)>|<(?:start|end)_of_(?:turn|image|text|role)>|<\|?turn\|?>"
    r"|\[(?:EOS|BOS|PAD|SEP|CLS|UNK|/?INST|gMASK)\]|<(?:BOS|EOS|PAD)_TOKEN>"
)
MARK = re.compile(SPECIAL)
HEADER = r"<\|(?:im_start|start_header_id|start|role_start|turn)\|>|<start_of_(?:turn|role)>|<\|turn>"
ROLES = "assistant|model|user|system|tool"
BEFORE = re.compile(rf"\s*(?:(?:(?:{HEADER})\s*(?:{ROLES})\b|{SPECIAL})\s*)+")
REASONINGS = ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad", "seed:think", "analysis")
NAMES = "|".join(map(re.escape, REASONINGS))
OPENING = rf"<(?:{NAMES})>|\[(?:THINK|REASONING)\]|<[|｜]begin_of_thought[|｜]>|<\|channel>thought\b"
CLOSING = rf"</(?:{NAMES})>|\[/(?:THINK|REASONING)\]|<[|｜]end_of_thought[|｜]>|<channel\|>"
THOUGHT = re.compile(rf"(?P<opens>{OPENING})|{CLOSING}", re.IGNORECASE)
CHANNEL = re.compile(r"<\|channel\|>\s*+(\w++)[^<]*+<\|message\|>")  # OpenAI's harmony: analysis, commentary, final
ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.IGNORECASE | re.DOTALL)
FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


def poem_of(completion: Completion) -> str:
    r"""The poem in a completion, with no space around it; ``""`` where there is none.

    Args:
        completion: a text, a chat message or a list of them (mappings or objects with ``role`` and ``content``), or None.

    >>> poem_of("<think>What rhymes?</think>\n\namor\ndolor<|im_end|>")
    'amor\ndolor'
    >>> poem_of([{"role": "assistant", "content": [{"type": "text", "text": "```\namor\ndolor\n```"}]}, {"role": "tool", "content": "1"}])
    'amor\ndolor'
    >>> poem_of("<think>I am not done"), poem_of(None), poem_of([{"role": "assistant"}])
    ('', '', '')
    """
    return without_fence(without_marks(without_reasoning(text_of(completion))))


def text_of(completion: Completion) -> str:
    """The whole text of a completion: itself, or the last message of the assistant that has a text; may be ``""``.

    A message without a role counts as the assistant's.

    >>> text_of([{"role": "user", "content": "Rhyme!"}, {"role": "assistant", "content": "amor"}, {"role": "tool", "content": "ok"}])
    'amor'
    """
    if completion is None or isinstance(completion, str):
        return completion or ""
    if _is_message(completion):
        return _content(completion)
    texts = [_content(message) for message in _reversed(completion) if _is_message(message) and _role(message) in ("assistant", "model")]
    if not texts and not any(_is_message(item) and _role(item) for item in _reversed(completion)):
        return _parts(completion)
    return next((text for text in texts if text.strip()), "")


def without_reasoning(text: str) -> str:
    """The text without what a model thought before it answered.

    >>> without_reasoning("so I think</think>amor"), without_reasoning("amor<think>dolor")
    ('amor', 'amor')
    """
    channels = list(CHANNEL.finditer(text))
    if channels:
        final = [channel.end() for channel in channels if channel[1] == "final"]
        return text[final[-1] :] if final else ""
    said, start, inside = [], 0, False
    for mark in THOUGHT.finditer(text):
        if mark["opens"]:
            said += [] if inside else [text[start : mark.start()]]
        elif not inside:
            said = []  # a reasoning that began in the prompt, or around another one
        inside, start = bool(mark["opens"]), mark.end()
    text = "".join(said if inside else [*said, text[start:]])
    answers = ANSWER.findall(text)
    return answers[-1] if answers else text


def without_marks(text: str) -> str:
    r"""The text up to the first special token that ends it, without those before it, and without spaces around it.

    >>> without_marks("<|assistant|> ombre\nsombre<|im_end|></s>")
    'ombre\nsombre'
    >>> without_marks("<|im_start|>assistant\nombre<|im_end|>\n<|im_start|>user\nMore!")
    'ombre'
    """
    header = BEFORE.match(text)
    text = text[header.end() :] if header else text
    end = MARK.search(text)
    return (text[: end.start()] if end else text).strip()


def without_fence(text: str) -> str:
    r"""What stands in the last code fence of a text; the text itself where it has none.

    >>> without_fence("A poem:\n```text\nombre\nsombre\n```\nVoilà.")
    'ombre\nsombre'
    """
    fences = FENCE.findall(text)
    return fences[-1][1].strip("\n") if fences else text


def after_prompt(query: str, prompt: str) -> str:
    r"""What follows the prompt in a query. White space and special tokens may differ, since tokenizers change them.

    Raises:
        ValueError: the query does not hold the prompt.

    >>> after_prompt("<s>user Un poème :\nombre", "user\nUn  poème : ")
    'ombre'
    """
    query, prompt = (unicodedata.normalize("NFC", text) for text in (query, prompt))
    found = query.find(prompt)
    if found >= 0:
        return query[found + len(prompt) :]
    letters = [(letter, at) for letter, at in _letters(query)]
    wanted = "".join(letter for letter, _ in _letters(prompt))
    start = "".join(letter for letter, _ in letters).find(wanted)
    if start < 0:
        raise ValueError(f"query {query!r:.60} does not hold its prompt {prompt!r:.60}; expected prompt and completion in a row")
    rest = query[letters[start + len(wanted) - 1][1] + 1 if wanted else 0 :]
    return rest.lstrip() if wanted else rest


def _letters(text: str) -> Iterator[tuple[str, int]]:
    """What is no white space and no special token, with its place."""
    blank = MARK.sub(lambda mark: " " * len(mark[0]), text)
    return ((letter, at) for at, letter in enumerate(blank) if not letter.isspace())


def _is_message(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "role" in value or ("content" in value and "type" not in value)
    return not isinstance(value, str) and hasattr(value, "content") and hasattr(value, "role")


def _role(message: Any) -> str:
    """The role, ``assistant`` where none is said."""
    role = message.get("role") if isinstance(message, Mapping) else message.role
    return str(getattr(role, "value", role) or "assistant").lower()


def _content(message: Any) -> str:
    return _parts(message.get("content") if isinstance(message, Mapping) else message.content)


def _parts(content: Any) -> str:
    """The text of a message's content: itself, or its parts that are text."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, Mapping) or not isinstance(content, Sequence):
        content = [content]
    return "\n".join(text for part in content if (text := _part(part)) is not None)


def _part(part: Any) -> str | None:
    if part is None or isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else getattr(part, "type", None)
    if kind not in (None, "text", "output_text", "input_text"):
        return None
    text = part.get("text") if isinstance(part, Mapping) else getattr(part, "text", None)
    return text if isinstance(text, str) else None


def _reversed(completion: Any) -> list[Any]:
    return list(completion)[::-1]
