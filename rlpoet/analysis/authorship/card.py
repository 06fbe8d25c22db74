"""The card of a model of style: what it is, what it was built from, how well it tells its poets apart."""

from __future__ import annotations

from rlpoet.analysis.authorship.build import MOST, N_FEATURES, ORDER, Built
from rlpoet.analysis.authorship.groups import SIZE

NAMES = {"fr": "French", "es": "Spanish", "en": "English"}


def card(built: Built, command: str, n_bytes: int) -> str:
    """The card, in Markdown."""
    model = built.model
    rows = "\n".join(
        f"| {poet} | {len(built.groups['train', poet])} | {len(built.groups['calibrate', poet])} | {len(built.groups['judge', poet])} "
        f"| {model.usual_at(4)[k]:.2f} | {model.usual_at(8)[k]:.2f} |"
        for k, poet in enumerate(model.voices)
    )
    return f"""# Poets by their sound: {NAMES.get(model.lang, model.lang)}

Weights of {len(model.codes):,} features for {len(model.poets)} poets and for the average of all others: runs of one
to six phones, words and beginnings of word pairs, vowels without consonants, consonants without vowels, rhythm of
words and beats, alliteration, assonance, line ends, how far apart and how richly lines rhyme, lengths of neighbours,
pauses with the phones before and after them, the words between them, and the tune of several.
Beside them counts of runs of up to {ORDER} phones. {n_bytes / 1000:.0f} kB. It was made from phonetic transcriptions
alone: spelling, capitals, quotation marks and brackets were never seen; other punctuation is heard as the pause, long or
short, asking, crying or trailing off, that a voice makes there, one between two words whatever signs stand there. No verse
is contained: the longest entries are words and runs of seven phones.

    {command}

From each voice at most {MOST["train"]} groups of {SIZE} lines train it, {MOST["calibrate"]} calibrate it and
{MOST["judge"]} judge it. Poems are on one side whole, and no line of four words or more that calibrates or judges
stands in what trains. At most {N_FEATURES:,} features are kept.

| voice | groups that train | that calibrate | that judge | usual probability, 4 lines | 8 lines |
| --- | --- | --- | --- | --- | --- |
{rows}

"Usual" is the median probability of a poet, among all voices, for that poet's own unseen lines; in the last row the share of all poets
together for theirs.

## Figures

Of the poems that judge; mean over the poets.

| | 4 lines | 8 lines |
| --- | --- | --- |
| the right one of {len(model.poets)} poets is the likeliest | {built.accuracy[4]:.3f} | {built.accuracy[8]:.3f} |
| reward `style` for the poet's own lines, median | {built.own[4]:.2f} | {built.own[8]:.2f} |
| the same for other voices' lines, median | {built.others[4]:.2f} | {built.others[8]:.2f} |

## Limits

What is told apart is these poets in this corpus: period, genre and meter sound too, so a poet of the same decade may be taken for one of
them.
"""
