"""The same network on MNIST in this engine, scikit-learn and PyTorch: accuracy and seconds.

    python -m pip install -e . torch scikit-learn     # in an environment of its own
    python scripts/benchmark_mnist.py --data DIR

(784, 100, 10) with ReLU and softmax, Adam at 0.001, batches of 100, 60,000 digits, each program
with its own initial weights and its own loop; one thread each, in turns. The seconds are those of
the processor. A package that is not installed is left out. DIR holds the four MNIST files.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import common
import numpy as np
from mnist_data import CLASSES, SIDE, DataError, Digits, read_part

import nn
from nn.typing import Array

SIZES = (SIDE * SIDE, 100, CLASSES)
RATE, BATCH = 1e-3, 100
Predict = Callable[[Array], Array]  # the labels of digits
Program = Callable[[Digits, int, int], Predict]  # trains for some epochs with a seed


def engine(digits: Digits, epochs: int, seed: int) -> Predict:
    """This repository's."""
    net = nn.NeuralNet(SIZES, "relu", cost="log_likelihood", seed=seed)
    net.fit(digits.pixels, digits.labels, epochs=epochs, batch_size=BATCH, optimizer="Adam",
            learning_rate=RATE, verbose=False, seed=seed)  # fmt: skip
    return net.predict_labels


def scikit_learn(digits: Digits, epochs: int, seed: int) -> Predict:
    """scikit-learn's MLPClassifier."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        SIZES[1:-1], alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, max_iter=epochs,
        n_iter_no_change=epochs + 1, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it would have trained on
        model.fit(digits.pixels, digits.labels)
    return model.predict


def pytorch(digits: Digits, epochs: int, seed: int) -> Predict:
    """PyTorch, eager, with batches by index as its users write them."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(*SIZES[:2]), torch.nn.ReLU(), torch.nn.Linear(*SIZES[1:])
    )
    x, labels = torch.from_numpy(digits.pixels), torch.from_numpy(digits.labels)
    optimizer, cost = torch.optim.Adam(net.parameters(), lr=RATE), torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for which in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            cost(net(x[which]), labels[which]).backward()
            optimizer.step()

    def predict(pixels: Array) -> Array:
        with torch.no_grad():
            return np.asarray(net(torch.from_numpy(pixels)).argmax(dim=1))

    return predict


PROGRAMS: dict[str, tuple[str, Program]] = {
    "this engine": ("nn", engine),
    "scikit-learn, MLPClassifier": ("sklearn.neural_network", scikit_learn),
    "PyTorch, eager": ("torch", pytorch),
}


def main() -> None:
    parser = common.Parser(description="One network on MNIST in several programs.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR",
                        help="the folder of the MNIST files")  # fmt: skip
    parser.add_argument("--epochs", type=common.positive, default=20)
    parser.add_argument("--seeds", type=common.positive, default=3)
    options = parser.parse_args()
    try:
        train, test = (read_part(options.data, part) for part in ("train", "t10k"))
    except DataError as error:
        parser.refuse(str(error))
    programs = {name: program for name, (package, program) in PROGRAMS.items()
                if importlib.util.find_spec(package.split(".")[0])}  # fmt: skip
    for package, _ in PROGRAMS.values():
        with suppress(ImportError):
            importlib.import_module(package)  # which is not to be measured
    accuracies = {name: list[float]() for name in programs}
    times = {name: list[float]() for name in programs}
    for seed in range(options.seeds):
        for name, program in programs.items():
            started = time.process_time()
            predict = program(train, options.epochs, seed)
            times[name].append(time.process_time() - started)
            accuracies[name].append(100 * float(np.mean(predict(test.pixels) == test.labels)))
    head = ("program", "test accuracy, %: mean", "of each seed", f"seconds of {options.epochs} "
            "epochs: median (least to most)")  # fmt: skip
    rows = [
        (name, f"{np.mean(found):.2f}", ", ".join(f"{each:.2f}" for each in found),
         common.spread(times[name]))
        for name, found in accuracies.items()
    ]  # fmt: skip
    print(common.table(head, rows))


if __name__ == "__main__":
    main()
