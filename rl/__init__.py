"""A reinforcement-learning lab.

import rl

env = rl.make_env("LunarLander-v3")
run = rl.train("lunarlander_dqn", seed=0)
agent = rl.load(run.path)
action = agent.act(observation)
"""

from rl.hidden import told

with told():
    from rl.environments import make_env
    from rl.errors import Diverged, SessionsFailed, UserError
    from rl.experiment.run import load
    from rl.experiment.trial import train

__all__ = ["Diverged", "SessionsFailed", "UserError", "load", "make_env", "train"]
