"""The poem in what a model answered: the same whatever the library, the model and the chat template put around it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.adapters.completions import after_prompt, poem_of, text_of, without_fence, without_marks, without_reasoning
from rewards.adapters.frameworks import openrlhf_reward_func, rubric_function, task_reward, verl_compute_score
from rewards.adapters.functions import as_function
from rewards.compose import WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme

POEM = "amor\ndolor"
TOOL = {"role": "tool", "content": "amor", "tool_call_id": "1"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "rhymes", "arguments": "{}"}}]}


@dataclass
class Message:
    """A message as libraries with typed messages have it."""

    role: str
    content: object


END_MARKS = [
    "<|im_end|>", "</s>", "<|endoftext|>", "<end_of_turn>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|end_of_text|>", "<eos>", "<|return|>",
    "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>", "<turn|>", "<|user|>", "<|observation|>", "<pad><pad>", "[EOS]", "<|eot|>",
]  # fmt: skip
HEADERS = [
    "<|im_start|>assistant\n", "<s>", "<|start_header_id|>assistant<|end_header_id|>\n\n", "<bos><start_of_turn>model\n", "<|assistant|>\n",
    "<｜Assistant｜>", "[/INST] ", "<|turn>model\n", "<|begin_of_text|>", "[gMASK]<|assistant|>", "\n <|CHATBOT_TOKEN|>",
]  # fmt: skip
THOUGHTS = [
    "<think>amor\ncalor</think>", "<think>\n\n</think>\n\n", "So: amor, calor ...</think>\n", "<thinking>a</thinking>", "[THINK]a[/THINK]",
    "<think>a</think><think>b</think>", "<think>a <think>b</think> c</think>", "<|channel>thought\na<channel|>", "<REASONING>a</REASONING>",
    "<|channel|>analysis<|message|>amor<|end|><|start|>assistant<|channel|>final<|message|>", "<|begin_of_thought|>a<|end_of_thought|>",
]  # fmt: skip
CHATS = {
    "messages": [{"role": "user", "content": "Rhyme!"}, {"role": "assistant", "content": POEM}],
    "one message": {"role": "assistant", "content": POEM},
    "no role": [{"content": POEM}],
    "role of Gemini": [{"role": "model", "content": POEM}],
    "parts": [{"role": "assistant", "content": [{"type": "text", "text": "amor"}, {"type": "text", "text": "dolor"}]}],
    "parts that end in a break": [
        {"role": "assistant", "content": [{"type": "text", "text": "amor\n"}, {"type": "text", "text": "dolor"}]}
    ],
    "a part of another kind": [
        {"role": "assistant", "content": [{"type": "reasoning", "text": "calor"}, {"type": "image_url"}, {"type": "text", "text": POEM}]}
    ],
    "strings as parts": [{"role": "assistant", "content": ["amor", "dolor"]}],
    "parts alone": [{"type": "text", "text": POEM}],
    "a tool before": [CALL, TOOL, {"role": "assistant", "content": POEM}],
    "a tool after": [{"role": "assistant", "content": POEM}, TOOL],
    "a call after": [{"role": "assistant", "content": POEM}, CALL, TOOL],
    "typed": [Message("user", "?"), Message("assistant", POEM)],
    "typed parts": [Message("assistant", [SimpleNamespace(type="text", text=POEM)])],
    "reasoning beside": [{"role": "assistant", "content": POEM, "reasoning_content": "calor"}],
    "a tuple": ({"role": "assistant", "content": POEM},),
}
EMPTY = {
    "nothing": None, "no text": "", "no messages": [], "content is None": [{"role": "assistant", "content": None}],
    "content is missing": [{"role": "assistant"}], "no parts": [{"role": "assistant", "content": []}], "a call alone": [CALL],
    "a call and its answer": [CALL, TOOL], "the user alone": [{"role": "user", "content": POEM}], "unclosed": "<think>" + POEM,
    "marks alone": "<|im_start|>assistant\n<|im_end|>", "an empty fence": "```\n```", "no part is text": [{"content": [{"type": "image"}]}],
    "a part without text": [{"role": "assistant", "content": [{"type": "text", "text": None}]}],
    "a channel without an end": "<|channel|>analysis<|message|>" + POEM,
}  # fmt: skip


@pytest.mark.parametrize("mark", END_MARKS)
@pytest.mark.parametrize("after", ["", "\nMore words", "</s>", "<think>calor</think>"])
def test_an_answer_ends_at_its_end_mark(mark, after):
    assert poem_of(POEM + mark + after) == POEM


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("thought", ["", *THOUGHTS])
def test_what_stands_before_an_answer_is_not_the_answer(header, thought):
    assert poem_of(header + thought + POEM + "<|im_end|>") == POEM


@pytest.mark.parametrize(
    "fenced", ["```\n{}\n```", "```text\n{}\n```\n", "Un poema:\n\n```\n{}\n```\nFin.", "~~~\n{}\n~~~", "```\n{}", "````\n{}\n````"]
)
@pytest.mark.parametrize("thought", ["", THOUGHTS[0]])
def test_a_fence_holds_the_poem(fenced, thought):
    assert poem_of(thought + fenced.format(POEM)) == POEM


@pytest.mark.parametrize("kind", CHATS)
def test_a_chat_holds_the_poem(kind):
    assert poem_of(CHATS[kind]).split() == POEM.split()


@pytest.mark.parametrize("kind", EMPTY)
def test_where_there_is_no_poem_there_is_no_text(kind):
    assert poem_of(EMPTY[kind]) == ""


def test_the_answer_part_is_the_poem():
    assert poem_of(f"<think>a</think>\n<answer>\n{POEM}\n</answer>") == poem_of(f"<answer>calor</answer><answer>{POEM}") == POEM


ODD = [
    "amor <b>",
    "s < t",
    "¡ay! [sic]",
    "a|b",
    "a ` b",
    "<3",
    "assistant",
    "ai\nmodel",
    "*amor*",
    "- amor",
    "# I",
    "à <voix> basse",
    "`amor`",
    "a ~~ b",
]


@pytest.mark.parametrize("text", ODD)
def test_signs_of_a_poet_stay(text):
    assert poem_of(text) == poem_of("<s>" + text + "</s>") == text


def test_nothing_but_the_answer_s_frame_is_mended():
    assert poem_of("Here it is:\namor\ndolor") == "Here it is:\namor\ndolor"
    assert without_reasoning("ombre") == without_marks(" ombre ") == without_fence("ombre") == text_of("ombre") == "ombre"


def test_end_marks_in_every_line_leave_one_line():
    assert poem_of("amor<|im_end|>\ndolor<|im_end|>") == "amor"


@given(st.text() | st.lists(st.fixed_dictionaries({"role": st.text(), "content": st.none() | st.text() | st.lists(st.text())})))
def test_no_answer_is_an_error(completion):
    assert isinstance(poem_of(completion), str)


plain = st.text(st.characters(categories=["L", "Zs", "Po"], include_characters="\n"), max_size=40)


@given(plain, st.sampled_from(HEADERS), st.sampled_from(THOUGHTS), st.sampled_from(END_MARKS))
def test_a_frame_changes_no_letter(text, header, thought, mark):
    assert poem_of(header + thought + "\n" + text + mark) == text.strip()


@pytest.mark.parametrize(
    "unit, end",
    [
        ("<think>", ""),
        ("```\n", ""),
        ("<|", ""),
        ("<s>", ""),
        ("<think>x", "</think>"),
        ("<|channel|>a", ""),
        ("a", "<|channel|>"),
        ("<answer>", ""),
        ("~~~\n```\n", ""),
        ("\n ", "a"),
    ],
)
def test_the_time_of_a_hostile_answer_grows_with_its_length(unit, end, growth):
    assert growth(lambda text: poem_of(text + end), unit, 100_000) < 10


BOTH = WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])
WHOLE = (
    "Souvent, pour s'amuser, les hommes d'équipage\n"
    "Prennent des albatros, vastes oiseaux des mers,\n"
    "Qui suivent, indolents compagnons de voyage,\n"
    "Le navire glissant sur les gouffres amers."
)
LABEL = {"lang": "fr", "form": "quatrain-abab"}
FRAMES = [
    "{}",
    "<think>une rime ?\nvoyage</think>\n\n{}<|im_end|>",
    "```\n{}\n```",
    "<start_of_turn>model\n{}<end_of_turn>",
    "voyage ...</think>{}</s>",
]


@pytest.mark.parametrize("frame", FRAMES)
def test_every_library_scores_the_poem_and_not_its_frame(frame):
    text = frame.format(WHOLE)
    chat = [{"role": "assistant", "content": [{"type": "text", "text": text}]}, TOOL]
    columns = {name: [value] for name, value in LABEL.items()}
    told = [
        as_function(BOTH)(prompts=None, completions=[chat], **columns)[0],
        as_function(BOTH)(prompts=["?"], completions=[text], **columns)[0],
        verl_compute_score(BOTH)(data_source="x", solution_str=text, ground_truth=LABEL)["score"],
        openrlhf_reward_func(BOTH)(
            queries=["<s>user\nÉcris ! assistant\n" + text], prompts=["<s> user\n\nÉcris !  assistant "], labels=[LABEL]
        )["rewards"],
        rubric_function(BOTH)(completion=chat, answer=LABEL),
        asyncio.run(task_reward(BOTH)(SimpleNamespace(data=SimpleNamespace(**LABEL)), SimpleNamespace(last_reply=text))),
    ]
    assert told == [1.0] * 6


@pytest.mark.parametrize("kind", EMPTY)
def test_where_there_is_no_poem_every_library_is_told_nothing_was_earned(kind):
    empty = EMPTY[kind]
    assert as_function(BOTH)(completions=[empty], lang=["fr"], form=["couplet"]) == [0.0]
    assert rubric_function(BOTH)(completion=empty, answer="fr couplet") == 0.0
    assert verl_compute_score(BOTH)("x", empty, "fr couplet") == {"score": 0.0, "rhyme": 0.0, "meter": 0.0}


QUERIES = [
    ("Un poème : ombre", "Un poème : ", "ombre"),
    ("<s>Un poème : ombre", "Un poème : ", "ombre"),
    ("<|im_start|>user\nUn poème<|im_end|>\n<|im_start|>assistant\nombre", "user\nUn poème\nassistant\n", "ombre"),
    ("user\nUn poème\nassistant\nombre", "<|im_start|>user\nUn poème<|im_end|>\n<|im_start|>assistant\n", "ombre"),
    ("Un  poème :\n\nombre", "Un poème :\nombre"[:-5], "ombre"),
    ("Un poe\u0300me : ombre", "Un poème :", " ombre"),
    ("Rime !Rime ! ombre", "Rime !", "Rime ! ombre"),
    ("ombre", "", "ombre"),
    (" ombre", " \n", "ombre"),
]


@pytest.mark.parametrize("query, prompt, rest", QUERIES)
def test_a_prompt_is_found_though_a_tokenizer_changed_its_spaces(query, prompt, rest):
    assert after_prompt(query, prompt).strip() == rest.strip()


@pytest.mark.parametrize("query, prompt", [("ombre", "Poème"), ("", "Poème"), ("Un poème", "Un poème :")])
def test_a_query_without_its_prompt_is_an_error(query, prompt):
    with pytest.raises(ValueError, match="does not hold its prompt"):
        after_prompt(query, prompt)
