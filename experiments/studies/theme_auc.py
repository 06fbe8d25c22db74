"""Does coherence tell real stanzas from stanzas shuffled across poems? On poems the shipped theme models were not built from.

    python -m experiments.studies.theme_auc --lang fr --data fr.jsonl.gz

holds out the poems the models' builder held out (a tenth, by a hash of their first lines), prints the table of the model card and, with
``--lines N``, figures for stanzas of another number of lines.
"""

from __future__ import annotations

import argparse

from rlpoet.analysis.coherence.build import measure
from rlpoet.analysis.coherence.model import theme_model
from rlpoet.corpus.poem import split_poems
from rlpoet.corpus.read import read_poems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--validation", type=float, default=0.1)
    parser.add_argument("--lines", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    model = theme_model(asked.lang)
    if model is None:
        parser.error(f"--lang {asked.lang}: no theme model is shipped")
    _, held = split_poems(read_poems(asked.data), validation=asked.validation)
    print("| shuffled with | stanzas | poems | AUC | median real / shuffled |\n| --- | --- | --- | --- | --- |")
    for f in measure(model, held, n_lines=asked.lines, seed=asked.seed):
        print(f"| {f.name} | {f.n:,} | {f.poems:,} | {f.auc:.3f} ({f.low:.3f} to {f.high:.3f}) | {f.real:.2f} / {f.false:.2f} |")


if __name__ == "__main__":
    main()
