"""What a user of verl or OpenRLHF writes: one file with the function the library looks for by name.

verl: ``reward.custom_reward_function.path=poet_reward.py``, ``name=compute_score``. OpenRLHF: ``--remote_rm_url poet_reward.py``.
"""

from rewards.adapters.frameworks import openrlhf_reward_func, task_reward, verl_compute_score
from rewards.compose import WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme

REWARD = WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])
compute_score = verl_compute_score(REWARD)
reward_func = openrlhf_reward_func(REWARD)
verse = task_reward(REWARD)
