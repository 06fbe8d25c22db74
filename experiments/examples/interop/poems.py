"""Texts every adapter is run on, with what the composed reward of ``poet_reward`` has to give them, worked out by hand.

Rhyme weighs 2, meter 1. Baudelaire's quatrain ("L'Albatros", public domain) keeps its form: 1. With its third line ending in another
word one pair of two is left: (2 * 1/2 + 1 * 3/4) / 3, since the line is also too short. The empty text earns nothing.
"""

FRENCH = "fr quatrain-abab"
WHOLE = (
    "Souvent, pour s'amuser, les hommes d'équipage\n"
    "Prennent des albatros, vastes oiseaux des mers,\n"
    "Qui suivent, indolents compagnons de voyage,\n"
    "Le navire glissant sur les gouffres amers."
)
BROKEN = WHOLE.replace("compagnons de voyage", "compagnons")
CASES = (
    (FRENCH, WHOLE, 1.0),
    (FRENCH, BROKEN, (2 * 0.5 + 0.75) / 3),
    (FRENCH, "", 0.0),
    ("es pareado", "amor\ndolor", 2 / 3),  # it rhymes, and is far too short
)
PROMPT = "Un poème : "


def byte_tokenizer():
    """A Hugging Face tokenizer of 256 bytes and three marks: what is encoded is decoded as it was."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", clean_up_tokenization_spaces=False
    )


def tell(library, version, got):
    """One row a case; a non-zero exit where a library got something else than the score worked out by hand."""
    print(f"{library} {version}")
    wrong = 0
    for (label, text, expected), score in zip(CASES, got, strict=True):
        same = abs(score - expected) < 1e-6
        wrong += not same
        print(f"  {'ok  ' if same else 'DIFF'} {score:.4f} expected {expected:.4f}  {label}: {text[:30]!r}")
    raise SystemExit(bool(wrong))
