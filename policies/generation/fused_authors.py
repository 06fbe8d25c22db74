"""Several poets fused into one author code.

A fusion is a new mark whose embedding is the weighted mean of its poets' marks, in a row of the vocabulary that only
rounded its size up. It then is an author like the others: it samples at full speed, weighs, trains and is saved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from tokenizers import AddedToken

from policies.causal_lm import CausalPolicy
from policies.formats.verse import VerseFormat
from rlpoet.errors import RlpoetError


def fuse(policy: CausalPolicy, weights: Mapping[str, float]) -> str:
    """Give a policy the author that is a weighted mean of several, and return its name.

    Raises:
        RlpoetError: the policy has no marks for authors, or its vocabulary no spare row.
    """
    if not isinstance(policy.format, VerseFormat):
        raise RlpoetError("author: several given to a plain model; expected one. A policy pretrained by rlpoet can fuse its authors.")
    name = "+".join(f"{author}:{weight:.3g}" for author, weight in weights.items())
    if name in policy.authors:
        return name
    embedding = policy.model.get_input_embeddings().weight
    new = len(policy.tokenizer)
    if new >= embedding.shape[0]:
        raise RlpoetError(f"author {name}: the vocabulary of {embedding.shape[0]} has no spare row; expected one for a fused author.")
    with torch.no_grad():
        ids = {author: policy.tokenizer.convert_tokens_to_ids(f"<|author={author}|>") for author in weights}
        embedding[new] = sum(weight * embedding[ids[author]] for author, weight in weights.items())
    policy.tokenizer.add_tokens([AddedToken(f"<|author={name}|>", special=True, normalized=False)], special_tokens=True)
    policy.adopt(dataclasses.replace(policy.format, authors=(*policy.authors, name)))
    return name
