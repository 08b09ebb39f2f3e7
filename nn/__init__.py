"""A feedforward neural network with backpropagation, written by hand in NumPy.

    import nn

    net = nn.NeuralNet((8, 128, 128, 4), hidden="relu", initializer="he", seed=0)
    optimizer = nn.Adam(net.parameters, net.gradients, learning_rate=1e-3)
    cost = nn.Huber()

Read `layers` and `network` first: they hold the two passes of backpropagation.
"""

from nn.activations import ACTIVATIONS, Activation, make_activation
from nn.checkpoint import CheckpointError
from nn.costs import COSTS, Cost, CrossEntropy, Huber, LogLikelihood, Quadratic, make_cost
from nn.data import one_hot
from nn.ensemble import Ensemble
from nn.initializers import BIAS_INITIALIZERS, INITIALIZERS, make_initializer
from nn.network import Network
from nn.neural_net import NeuralNet, load
from nn.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    clip_norm,
    make_optimizer,
)
from nn.pictures import Convolution
from nn.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    Linear,
    Schedule,
    Step,
    Warmup,
    make_schedule,
)
from nn.settings import BaseSettings, SettingError, setting
from nn.training import History, fit

__all__ = [
    "ACTIVATIONS", "BIAS_INITIALIZERS", "COSTS", "INITIALIZERS", "OPTIMIZERS", "SCHEDULES",
    "Activation", "AdaGrad", "Adam", "AdamW", "BaseSettings", "CheckpointError", "Constant",
    "Convolution", "Cosine", "Cost", "CrossEntropy", "Ensemble", "Exponential", "History", "Huber",
    "Linear", "LogLikelihood", "Network", "NeuralNet", "Optimizer", "Quadratic", "RMSProp", "SGD",
    "Schedule", "SettingError", "Step", "Warmup", "clip_norm", "fit", "load", "make_activation",
    "make_cost", "make_initializer", "make_optimizer", "make_schedule", "one_hot", "setting",
]  # fmt: skip
