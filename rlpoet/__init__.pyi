from rlpoet.analysis.rhyme_dictionary import words as words
from rlpoet.evaluation.score import score as score
from rlpoet.prosody.explain import explain as explain
from rlpoet.prosody.meter import scan as scan
from rlpoet.prosody.rhyme import rhymes as rhymes
from rlpoet.rollout import load_policy as load_policy
from rlpoet.training.run import train as train

__rlpoet__: bool
__version__: str
