"""What the programs of this folder share: one BLAS thread, turns, processes, tables and options.

Import it before NumPy: BLAS reads the number of its threads when it is loaded. Processes that a
program starts inherit the number.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

    from matplotlib.figure import Figure

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

RESULTS = Path(__file__).parents[1] / "docs" / "RESULTS.md"

Work = Callable[[], object]
Result = TypeVar("Result")
Item = TypeVar("Item")


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says in one line that Ctrl-C or a missing package has ended a program.

    What to install is taken from the program's description. Any other error has its traceback.
    """
    description = sys.modules["__main__"].__doc__ or ""
    install = re.search(r"python -m pip install [^#\n]*", description)
    if isinstance(error, KeyboardInterrupt):
        said = "; ".join(("interrupted", *error.args))
    elif isinstance(error, ModuleNotFoundError) and install:
        said = f"{error}: {install[0].strip()}"
    else:
        sys.__excepthook__(kind, error, trace)
        return
    print(f"{Path(sys.argv[0]).name}: {said}", file=sys.stderr)


sys.excepthook = _report


def seconds(work: Work, times: int = 1, clock: Callable[[], float] = time.perf_counter) -> float:
    """The mean seconds of `times` calls, by the wall clock or by another one."""
    started = clock()
    for _ in range(times):
        work()
    return (clock() - started) / times


def both_clocks(work: Work) -> str:
    """The wall-clock and the processor seconds of a call."""
    used = time.process_time()
    taken = seconds(work)
    return f"{taken:.2f} s (processor {time.process_time() - used:.2f} s)"


def in_turns(
    works: Mapping[str, Work], turns: int, measure: Callable[[Work], float] = seconds
) -> dict[str, list[float]]:
    """Measures each work once per turn, so that a slow spell of the machine slows all of them."""
    measured = {name: list[float]() for name in works}
    for _ in range(turns):
        for name, work in works.items():
            measured[name].append(measure(work))
    return measured


def medians(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each work's measurements."""
    return {name: statistics.median(values) for name, values in measured.items()}


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """The median with the smallest and the largest value."""
    median, least, most = (format(of(values), form) for of in (statistics.median, min, max))
    return f"{median} ({least} to {most})"


def rl(*arguments: object) -> str:
    """Runs `rl ...` in a process of its own; returns what it prints."""
    command = [sys.executable, "-m", "rl", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def in_processes(
    works: Sequence[Callable[[], Result]], jobs: int, in_order: bool = True
) -> Iterator[Result]:
    """The results from `jobs` processes, which end if this one does, however that comes.

    Args:
        works: can be pickled.
        jobs: 1 stays in this process.
        in_order: of the works; otherwise each result comes as soon as it is there.
    """
    if jobs == 1:
        yield from (work() for work in works)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _end_with_the_parent) as pool:
        futures = [pool.submit(_result_of, work) for work in works]
        try:
            for future in futures if in_order else as_completed(futures):
                yield future.result()
        finally:
            if not all(future.done() for future in futures):
                for process in multiprocessing.active_children():
                    process.terminate()


def _end_with_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_wait_for_its_end, daemon=True).start()


def _end(*_: object) -> NoReturn:
    """Ends this process, so that what a work has open is closed; the pool may ask twice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _wait_for_its_end() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _result_of(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except SystemExit:
        os._exit(1)  # the pool would catch it, and go on with its next work


def table(head: Iterable[object], rows: Iterable[Iterable[object]], aligned: bool = True) -> str:
    """A Markdown table, whose columns may also be aligned as plain text."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) if aligned else 0 for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * (width or 3) for width in widths])
    lines = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rounded(value: float, digits: int = 1) -> str:
    """A return with so many decimals, or two where its magnitude is below 10; 0 is unsigned."""
    text = f"{value:,.{digits}f}" if abs(value) >= 10 else f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """An empty figure for a file; its sizes are in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        lines = (textwrap.fill(line, int(9 * width)) for line in title.split("\n"))
        figure.suptitle("\n".join(lines))
    return figure


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears whole or not at all; if the disk fails, one line ends the program."""
    from nn.checkpoint import replacing

    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        print(f"{Path(sys.argv[0]).name}: cannot write {path}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    print(f"wrote {path}", flush=True)


def put_into_results(name: str, table: str) -> None:
    """Puts a table between its marks in docs/RESULTS.md, unless it is there."""
    before, there, after = _around(name)
    if there != f"\n{table}\n":
        with written(RESULTS) as file:
            file.write(f"{before}\n{table}\n{after}".encode())


def table_in_results(name: str) -> str:
    """The table between its marks in docs/RESULTS.md."""
    return _around(name)[1].strip("\n")


def _around(name: str) -> tuple[str, str, str]:
    """What is before a table of docs/RESULTS.md, the table, and what is behind it."""
    text = RESULTS.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- end of the {name} -->"
    start, stop = text.index(begin) + len(begin), text.index(end)
    return text[:start], text[start:stop], text[stop:]


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Writes a picture of a figure, at `dpi` dots per inch."""
    with written(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=dpi)


class Parser(argparse.ArgumentParser):
    """Answers a mistake with one line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        self.refuse(f"{message}; see --help")

    def refuse(self, message: str) -> NoReturn:
        """Ends the program because of something that the user can put right."""
        self.exit(2, f"{self.prog}: {message}\n")

    @contextmanager
    def answering(self, *errors: type[Exception], goes_on: bool = False) -> Iterator[None]:
        """Ends the program in one line, not in a traceback, at one of these errors.

        Args:
            errors: what the user can put right.
            goes_on: whether the same command continues where Ctrl-C ended it, which is then said.
        """
        try:
            yield
        except errors as error:
            self.refuse(str(error))
        except KeyboardInterrupt:
            if goes_on:
                raise KeyboardInterrupt("the same command goes on") from None
            raise

    def add_only(self, of: str) -> None:
        """Adds the option whose patterns `named` takes."""
        self.add_argument("--only", metavar="PATTERN", action="append",
                          help=f"{of}; may be given more than once")  # fmt: skip

    def named(
        self,
        patterns: Sequence[str] | None,
        items: Iterable[Item],
        names: Callable[[Item], Iterable[str]],
    ) -> list[Item]:
        """The items of which a name matches one of the patterns; all of them without patterns.

        Case does not matter. A pattern that matches none is refused.
        """
        from nn.names import suggestion

        by_names = [(item, list(names(item))) for item in items]
        known = {name for _, its in by_names for name in its}
        for pattern in patterns or ():
            if not _one_matches(known, pattern):
                self.refuse(f"--only {pattern}: there is none{suggestion(pattern, known)}")
        return [
            item for item, its in by_names
            if patterns is None or any(_one_matches(its, each) for each in patterns)
        ]  # fmt: skip

    def make_folder(self, path: Path) -> None:
        """Makes the folder of the results, or refuses it."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.refuse(f"cannot write to {path}: {error.strerror}")
        if not os.access(path, os.W_OK):
            self.refuse(f"cannot write to {path}")


def _one_matches(names: Iterable[str], pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(each.lower(), pattern.lower()) for each in names)


def positive(text: str) -> int:
    """A whole number of at least 1, as the type of an option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def layers(text: str) -> tuple[int, ...]:
    """The units of each layer, such as 784,100,10, as the type of an option."""
    sizes = text.strip("()").replace(" ", "").split(",")
    if len(sizes) < 2 or not all(size.isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError(f"must be units of layers such as 784,100,10, not {text}")
    return tuple(map(int, sizes))


def not_negative(text: str) -> float:
    """A finite number of at least 0, as the type of an option."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {text}")
    return number


def name_in(table: Iterable[str], kind: str) -> Callable[[str], str]:
    """The spelling of a name in a table of parts, as the type of an option."""
    from nn.names import known_name

    def known(text: str) -> str:
        try:
            return known_name(table, text, kind)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return known


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """The options that describe a network of one's own and how it is trained; None if not given."""
    import nn

    group = parser.add_argument_group("a network of your own, trained instead")
    add = group.add_argument
    add("--network", dest="sizes", type=layers, help="units of its layers, such as 784,100,10")
    tables: tuple[tuple[str, str, Iterable[str], str], ...] = (
        ("--activation", "hidden", nn.ACTIVATIONS, "activation"),
        ("--output-activation", "output_activation", nn.ACTIVATIONS, "activation"),
        ("--cost", "cost", nn.COSTS, "cost"),
        ("--initializer", "initializer", nn.INITIALIZERS, "initializer"),
        ("--bias-initializer", "bias_initializer", nn.BIAS_INITIALIZERS, "initializer"),
        ("--optimizer", "optimizer", nn.OPTIMIZERS, "optimizer"),
    )
    for option, dest, table, kind in tables:
        add(option, dest=dest, type=name_in(table, kind), help=", ".join(table), metavar="NAME")
    add("--learning-rate", "--rate", type=not_negative, metavar="X")
    add("--schedule", choices=("cosine", "constant"), help="of the learning rate")
    add("--batch-size", "--batch", type=positive, metavar="N", help="examples per update")
    for option in ("--dropout", "--l2", "--l1"):
        add(option, type=not_negative, metavar="X")
    add("--penalty-per", choices=("examples", "batch"), help="what l1 and l2 are divided by")
    add("--last-batch", choices=("keep", "drop_short", "drop"), help="of each epoch")
