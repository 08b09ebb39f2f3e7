"""The MNIST scripts, on files made here: ten patterns that stand for the ten digits."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from nn.typing import Array
from tests.programs import SCRIPTS, program

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FOUR = tuple(f"{part}-{kind}.gz" for part in ("train", "t10k")
             for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))  # fmt: skip
COUNTS = {"train": 30, "t10k": 20}

compress = partial(gzip.compress, mtime=0)  # the same bytes, and names of tests, at any time


data, mnist = program("mnist_data"), program("mnist")


def images_file(images: Array, magic: int = 2051) -> bytes:
    return struct.pack(">4I", magic, *images.shape) + images.astype(np.uint8).tobytes()


def labels_file(labels: Array, magic: int = 2049) -> bytes:
    return struct.pack(">2I", magic, len(labels)) + labels.astype(np.uint8).tobytes()


def patterns(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Images [n, 28, 28] in noise: a bright square, whose place tells the label [n]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    images = rng.integers(0, 120, (count, 28, 28))
    for image, label in zip(images, labels, strict=True):
        row, column = 2 + 12 * (label // 5), 1 + 5 * (label % 5)
        image[row : row + 5, column : column + 5] = rng.integers(90, 256)
    return images, labels


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(compress(content, 1) if name.endswith(".gz") else content)
    return folder


def write_test_part(folder: Path, count: int, seed: int = 0) -> Path:
    images, labels = patterns(count, seed)
    return write(folder, {f"{IMAGES}.gz": images_file(images), f"{LABELS}.gz": labels_file(labels)})


def refusal(module: Any, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which a program, run in this process, refuses its arguments."""
    given, sys.argv = sys.argv, [f"{module.__name__}.py", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit, match=r"^2$"):
            module.main()
    finally:
        sys.argv = given
    said = capsys.readouterr().err
    assert said.startswith(f"{module.__name__}.py: ")
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("names", [
    (f"{IMAGES}.gz", f"{LABELS}.gz"), (IMAGES, LABELS),
    ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte.gz"),
])  # fmt: skip
def test_what_is_written_is_read(tmp_path: Path, names: tuple[str, str]) -> None:
    images, labels = np.zeros((3, 28, 28)), np.array([7, 0, 9])
    images[1, 0, 27], images[1, 2, 3], images[2, 27, 0] = 255, 51, 102
    write(tmp_path, {names[0]: images_file(images), names[1]: labels_file(labels)})
    digits = data.read_part(tmp_path, "t10k")
    expected = np.zeros((3, 784), np.float32)
    expected[1, 27], expected[1, 2 * 28 + 3], expected[2, 27 * 28] = 1.0, 0.2, 0.4
    np.testing.assert_array_equal(digits.pixels, expected)
    assert digits.pixels.dtype == np.float32
    assert digits.labels.tolist() == [7, 0, 9]


def test_a_file_that_was_unzipped_under_its_old_name_is_read(tmp_path: Path) -> None:
    (tmp_path / f"{LABELS}.gz").write_bytes(labels_file(np.array([4, 2])))
    assert data.read_idx(tmp_path / f"{LABELS}.gz", data.LABELS).tolist() == [4, 2]


A_FILE = images_file(patterns(6)[0])


@pytest.mark.parametrize(("name", "content", "said"), [
    (f"{IMAGES}.gz", compress(A_FILE)[:-500], "is a truncated or damaged gzip file"),
    (f"{IMAGES}.gz", compress(A_FILE)[:10] + b"\xff" * 500,
     "is a truncated or damaged gzip file"),
    (f"{IMAGES}.gz", compress(A_FILE[:-1]), "is truncated: 6 images are 4,704 bytes"),
    (IMAGES, A_FILE[:-784], "is truncated: 6 images are 4,704 bytes, but 3,920 follow"),
    (IMAGES, A_FILE + b"\0", "is too long: 6 images are 4,704 bytes, but 4,705 follow"),
    (IMAGES, A_FILE[:15], "is truncated: it ends within its header"),
    (IMAGES, b"", "is truncated: it ends within its header"),
    (IMAGES, labels_file(np.zeros(20)), "has the magic number 2049, but images have 2051"),
    (IMAGES, b"<!DOCTYPE html><html></html>", "has the magic number 1008813135"),
    (IMAGES, images_file(np.zeros((6, 28, 27))), "has images of 28 x 27 pixels, not 28 x 28"),
    (LABELS, A_FILE, "has the magic number 2051, but labels have 2049"),
    (LABELS, labels_file(np.array([1, 2, 10, 3, 4, 5])), "has the label 10, but digits go up to 9"),
])  # fmt: skip
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
) -> None:
    write(tmp_path, {IMAGES: A_FILE, LABELS: labels_file(np.arange(6))})
    data.read_part(tmp_path, "t10k")  # without the damage it is read
    (tmp_path / name).write_bytes(content)
    line = refusal(mnist, capsys, "--data", tmp_path)
    assert f"{tmp_path / name} {said}" in line
    assert "--download URL" in line


def test_images_and_labels_of_different_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {IMAGES: A_FILE, LABELS: labels_file(np.arange(5))})
    assert "6 images, but " in (line := refusal(mnist, capsys, "--data", tmp_path))
    assert "5 labels" in line


@pytest.mark.parametrize(("there", "missing"), [
    ([], f"{IMAGES}.gz"), ([IMAGES], f"{LABELS}.gz"), ([LABELS], f"{IMAGES}.gz"),
    ([IMAGES, LABELS, "train-labels-idx1-ubyte"], "train-images-idx3-ubyte.gz"),
])  # fmt: skip
def test_missing_files_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], there: list[str], missing: str
) -> None:
    write(tmp_path, {name: A_FILE if "images" in name else labels_file(np.arange(6))
                     for name in there})  # fmt: skip
    line = refusal(mnist, capsys, "--data", tmp_path)
    assert f"{tmp_path} holds no {missing};" in line
    assert all(name in line for name in FOUR)


def test_a_missing_folder_and_wrong_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_test_part(tmp_path / "data", 1100)
    refused = partial(refusal, mnist, capsys, "--data", folder)
    assert "there is no folder" in refusal(mnist, capsys, "--data", tmp_path / "none")
    for examples in (511, 551, -1):
        line = refused("--examples", examples)
        assert "from 512 to the 550" in line
        assert f"not {examples}" in line
    assert "at least 1, not 0" in refused("--epochs", 0)
    assert "at least 1, not two" in refused("--jobs", "two")
    assert "invalid choice: 'all'" in refused("--only", "all")
    assert "cannot write to" in refused("--output", folder / f"{IMAGES}.gz")
    few = write_test_part(tmp_path / "few", 1000)
    assert "500 digits to learn from; the comparison needs 512" in refusal(
        mnist, capsys, "--data", few
    )


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a mirror's, though with fewer digits."""
    monkeypatch.setattr(data, "PARTS", COUNTS)
    files = {}
    for part, count in COUNTS.items():
        images, labels = patterns(count)
        files[f"{part}-images-idx3-ubyte.gz"] = images_file(images)
        files[f"{part}-labels-idx1-ubyte.gz"] = labels_file(labels)
    return write(tmp_path / "mirror", files)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Breaks(Quiet):
    """Promises ten bytes more than it sends."""

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + 10))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def serve(mirror: Path) -> Iterator[Callable[[type[Quiet]], str]]:
    """Serves the mirror's folder; the address."""
    servers = []

    def start(handler: type[Quiet]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(mirror)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.parametrize("ending", ["", "/"])
def test_four_files_are_fetched_from_a_folder(mirror: Path, tmp_path: Path, ending: str) -> None:
    data.download(tmp_path / "new" / "data", mirror.as_uri() + ending)
    assert contents(tmp_path / "new" / "data") == contents(mirror)
    assert sorted(contents(mirror)) == sorted(FOUR)


def test_four_files_are_fetched_from_a_server(
    mirror: Path, tmp_path: Path, serve: Callable[[type[Quiet]], str]
) -> None:
    data.download(tmp_path / "data", serve(Quiet))
    assert contents(tmp_path / "data") == contents(mirror)


def test_only_what_is_missing_or_damaged_is_fetched(mirror: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    data.download(folder, mirror.as_uri())
    whole = contents(folder)
    (folder / FOUR[2]).write_bytes(b"half of it")
    (folder / FOUR[3]).unlink()
    for name in FOUR[:2]:
        (mirror / name).unlink()  # it would be an error to ask for them
    data.download(folder, mirror.as_uri())
    assert contents(folder) == whole


@pytest.mark.parametrize(("content", "said"), [
    (None, "cannot be fetched"),
    (compress(labels_file(np.zeros(20))), "has the magic number 2049, but images have 2051"),
    (compress(images_file(np.zeros((20, 28, 28))))[:-9], "is a truncated or damaged gzip"),
    (compress(images_file(np.zeros((20, 28, 28)))[:-9]), "is truncated: 20 images"),
    (compress(images_file(np.zeros((19, 28, 28)))), "holds 19 images, not 20"),
    (b"<html>not found, says this mirror with status 200</html>", "has the magic number"),
])  # fmt: skip
def test_a_file_that_is_not_right_is_not_kept(
    mirror: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is None:
        (mirror / FOUR[2]).unlink()
    else:
        (mirror / FOUR[2]).write_bytes(content)
    with pytest.raises(data.DataError) as error:
        data.download(tmp_path / "data", mirror.as_uri())
    assert f"{mirror.as_uri()}/{FOUR[2]} {said}" in str(error.value)
    assert str(error.value).endswith("name another mirror")
    assert "\n" not in str(error.value)
    assert sorted(contents(tmp_path / "data")) == sorted(FOUR[:2])  # the whole ones before it


def test_an_answer_that_breaks_off_is_not_kept(
    mirror: Path, tmp_path: Path, serve: Callable[[type[Quiet]], str]
) -> None:
    with pytest.raises(data.DataError, match=r"cannot be fetched .*IncompleteRead"):
        data.download(tmp_path / "data", serve(Breaks))
    assert not contents(tmp_path / "data")


def test_what_a_server_or_an_address_lacks_is_said(
    mirror: Path, tmp_path: Path, serve: Callable[[type[Quiet]], str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    url = serve(Quiet)
    for address, said in (
        (f"{url}/nothing/", f"{url}/nothing/{FOUR[0]} cannot be fetched (HTTP Error 404"),
        ("http://127.0.0.1:1", "Connection refused"),
        ("ftp://127.0.0.1", "takes an http://, https:// or file:// address, not ftp"),
        (str(mirror), "takes an http://, https:// or file:// address"),
    ):
        for module, arguments in ((mnist, ["--data"]), (data, [])):
            line = refusal(module, capsys, *arguments, tmp_path / "data", "--download", address)
            assert said in line
    assert not contents(tmp_path / "data")


def test_a_failed_write_leaves_nothing(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> None:
        assert Path(source).stat().st_size == (mirror / FOUR[0]).stat().st_size
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data.os, "replace", fail)
    with pytest.raises(data.DataError, match=f"{FOUR[0]} cannot be written: No space left"):
        data.download(tmp_path / "data", mirror.as_uri())
    assert not contents(tmp_path / "data")


def test_a_mirror_must_have_all_60_000_and_10_000(tmp_path: Path) -> None:
    write(tmp_path / "mirror", {
        f"{part}-{kind}.gz": content
        for part, count in (("train", 60_000), ("t10k", 9_999))
        for kind, content in (("images-idx3-ubyte", images_file(np.zeros((count, 28, 28), "B"))),
                              ("labels-idx1-ubyte", labels_file(np.zeros(count))))
    })  # fmt: skip
    with pytest.raises(data.DataError, match="holds 9,999 images, not 10,000"):
        data.download(tmp_path / "data", (tmp_path / "mirror").as_uri())
    assert sorted(contents(tmp_path / "data")) == sorted(FOUR[:2])


def test_the_data_script_says_what_there_is(tmp_path: Path) -> None:
    folder = write_test_part(tmp_path / "data", 12)
    answer = subprocess.run([sys.executable, str(SCRIPTS / "mnist_data.py"), str(folder)],
                            capture_output=True, text=True, timeout=300)  # fmt: skip
    assert (answer.returncode, answer.stdout) == (0, "t10k: 12 digits\n"), answer.stderr


def numbered(count: int, first: int = 0) -> Any:
    """Digits [n] with their number, in units of 1/2048, in every pixel."""
    which = np.arange(first, first + count)
    pixels = np.repeat(which[:, None], 784, axis=1).astype(np.float32) / 2048
    return data.Digits(pixels, which % 10)


def numbers(pixels: Array) -> list[int]:
    return [int(number) for number in pixels[:, 0] * 2048]


def halves(seed: int, examples: int | None = None) -> tuple[list[int], list[int]]:
    learned, test = mnist.split(numbered(1001), None, examples, np.random.default_rng(seed))
    for digits in (learned, test):
        assert digits.labels.tolist() == [number % 10 for number in numbers(digits.pixels)]
    return numbers(learned.pixels), numbers(test.pixels)


def test_the_halves_are_disjoint_and_leave_nothing_out() -> None:
    learned, test = halves(0)
    assert (len(learned), len(test)) == (500, 501)
    assert sorted(learned + test) == list(range(1001))
    assert learned != sorted(learned)


def test_the_halves_depend_on_the_seed_alone() -> None:
    assert halves(3) == halves(3)
    assert set(halves(3)[1]) != set(halves(4)[1])
    assert halves(3, examples=40) == (halves(3)[0][:40], halves(3)[1])


def test_the_training_files_if_any_are_learned_from_and_the_others_tested_on() -> None:
    t10k, train = numbered(50), numbered(200, first=50)
    learned, test = mnist.split(t10k, train, 150, np.random.default_rng(0))
    assert numbers(test.pixels) == numbers(t10k.pixels)
    assert len(set(numbers(learned.pixels))) == 150
    assert set(numbers(learned.pixels)) < set(numbers(train.pixels))
    again, _ = mnist.split(t10k, train, 150, np.random.default_rng(1))
    assert set(numbers(again.pixels)) != set(numbers(learned.pixels))


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `fit` is given from here on, one entry a training."""
    calls: list[dict[str, Any]] = []
    fit = nn.NeuralNet.fit

    def watch(net: Any, x: Any, y: Any, **settings: Any) -> Any:
        calls.append({"net": net, "x": x, **settings})
        return fit(net, x, y, **settings)

    monkeypatch.setattr(nn.NeuralNet, "fit", watch)
    return calls


@pytest.mark.parametrize("variant", mnist.VARIANTS, ids=lambda variant: variant.name)
def test_no_network_sees_the_test_digits_before_the_test(
    variant: Any, learning: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "read", lambda folder: (numbered(1100), None))
    outcome = mnist.train_one(mnist.Settings(Path(), None, 1), variant, shuffle=2)
    (call,) = learning
    learned, test = mnist.split(numbered(1100), None, None, np.random.default_rng(2))
    seen, held_out = numbers(call["x"]), numbers((call["validation"] or [np.empty((0, 784))])[0])
    assert seen + held_out == numbers(learned.pixels)
    assert not {*seen, *held_out} & set(numbers(test.pixels))
    assert len(held_out) == (55 if "early stopping" in variant.name else 0)
    np.testing.assert_array_equal(outcome.outputs, call["net"].feedforward(test.pixels))
    assert outcome.accuracy == (outcome.outputs.argmax(axis=1) == test.labels).mean()


def test_a_variant_is_what_its_name_says(
    learning: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "read", lambda folder: (numbered(1100), None))
    variant = mnist.Variant(
        "x", "x", (784, 5, 10), "tanh", cost="cross_entropy", output="sigmoid", dropout=0.3,
        batch_size=17, l2=2.0, l1=3.0, max_norm=4.0, patience=6,
    )  # fmt: skip
    mnist.train_one(mnist.Settings(Path(), None, 1), variant, 0)
    (call,) = learning
    net = call["net"]
    assert (net.sizes, net.dropout) == ((784, 5, 10), 0.3)
    assert isinstance(net.hidden, nn.make_activation("tanh").__class__)
    assert isinstance(net.cost_function, nn.CrossEntropy)
    wanted = {"batch_size": 17, "l2": 2.0, "l1": 3.0, "max_norm": 4.0, "patience": 6, "epochs": 1}
    assert {name: call[name] for name in wanted} == wanted
    assert call["learning_rate"](0) == mnist.LEARNING_RATE
    updates = -(-495 // 17)
    assert call["learning_rate"](updates - 1) > 0 == call["learning_rate"](updates)


@pytest.mark.parametrize(("options", "field", "value"), [
    (["--network", "784,8,10"], "sizes", (784, 8, 10)),
    (["--network", "(784, 8, 9, 10)"], "sizes", (784, 8, 9, 10)),
    (["--activation", "leaky-relu"], "hidden", "leaky_relu"),
    (["--cost", "quadratic"], "output", "sigmoid"),
    (["--cost", "cross_entropy", "--output-activation", "sigmoid"], "cost", "cross_entropy"),
    (["--initializer", "glorot"], "initializer", "glorot"),
    (["--bias-initializer", "unit"], "bias_initializer", "unit"),
    (["--optimizer", "sgd"], "optimizer", "SGD"), (["--rate", "0.5"], "learning_rate", 0.5),
    (["--schedule", "constant"], "schedule", "constant"), (["--batch", "7"], "batch_size", 7),
    (["--pixels", "raw"], "pixels", "raw"), (["--dropout", "0.2"], "dropout", 0.2),
    (["--l2", "3"], "l2", 3.0), (["--penalty-per", "batch"], "penalty_per", "batch"),
    (["--last-batch", "drop"], "last_batch", "drop"),
])  # fmt: skip
def test_an_option_describes_a_network_of_ones_own(
    options: list[str], field: str, value: object, learning: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(mnist, "read", lambda folder: (numbered(90), None))
    monkeypatch.setattr(sys, "argv", ["mnist.py", "--data", "x", *options])
    (variant,) = mnist._variants(mnist._parser().parse_args())
    assert getattr(variant, field) == value
    assert variant.group == "own"
    changed = {
        each for each in vars(variant) if getattr(variant, each) != getattr(mnist.PLAIN, each)
    }
    assert changed - {"group", "name", "output", "cost"} == {field} - {"output", "cost"}
    mnist.train_one(mnist.Settings(Path(), None, 1), variant, 0)
    (call,) = learning
    ink = 255.0 if value == "raw" else 1.0
    assert sorted(numbers(call["x"] / ink)) == sorted(halves_of(90))


def halves_of(count: int) -> list[int]:
    """The numbers of the digits that shuffle 0 learns from."""
    return numbers(mnist.split(numbered(count), None, None, np.random.default_rng(0))[0].pixels)


def test_settings_are_chosen_on_training_digits_alone() -> None:
    t10k, train = numbered(50), numbered(120, first=50)
    learned, test = mnist.split(t10k, train, None, np.random.default_rng(0), choose=True)
    assert (len(learned.labels), len(test.labels)) == (100, 20)
    assert sorted(numbers(learned.pixels) + numbers(test.pixels)) == list(range(50, 170))


def test_deformed_digits_are_learned_from_and_plain_ones_tested_on(
    learning: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "read", lambda folder: (numbered(220), None))
    variant = mnist.CONVOLUTION
    found = mnist.train_one(mnist.Settings(Path(), None, 1), variant, 0)
    assert found.weights.shape == (25, 16)
    (call,) = learning
    assert call["augment"] is variant.deformation
    assert (call["optimizer"], call["batch_size"]) == ("Adam", 100)


def test_the_posts_settings_are_those_of_its_notebook(
    learning: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "read", lambda folder: (numbered(220), None))
    mnist.train_one(mnist.Settings(Path(), None, None), mnist.POST, 0)
    (call,) = learning
    assert (call["epochs"], call["learning_rate"], call["l2"]) == (101, 1e-4, 0.5)
    assert (call["penalty_per"], call["last_batch"], call["optimizer"]) == ("batch", "drop", "SGD")
    assert call["x"].max() > 1


def test_the_confusion_counts_by_hand(tmp_path: Path) -> None:
    pictures = program("mnist_pictures")
    labels, outputs = np.array([3, 3, 8, 3]), np.eye(10)[[3, 5, 8, 5]]
    counts = pictures.confusion(labels, outputs)
    assert (counts[3, 3], counts[3, 5], counts[8, 8], counts.sum()) == (1, 2, 1, 4)
    pictures.draw_confusion(labels, outputs, "It", tmp_path / "confusion.png")
    pictures.draw_weights(np.zeros((25, 3)), "It", tmp_path / "weights.png")
    for name in ("confusion", "weights"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def outcome(variant: Any, shuffle: int, accuracy: float, **others: Any) -> Any:
    values = {"training_accuracy": 1.0, "cost": 0.25, "epochs": 9, "seconds": 2.0, **others}
    return mnist.Outcome(variant, shuffle, np.zeros((1, 10)), accuracy, **values)


def test_the_table_has_every_shuffle_their_mean_and_spread() -> None:
    cross_entropy = next(each for each in mnist.VARIANTS if each.cost == "cross_entropy")
    lines = mnist.table({
        mnist.PLAIN: [outcome(mnist.PLAIN, *each) for each in enumerate((0.92, 0.95, 0.95))],
        mnist.MAIN: [
            outcome(mnist.MAIN, 0, 0.90, training_accuracy=0.94, cost=0.1, epochs=3, seconds=1.0),
            outcome(mnist.MAIN, 1, 0.92, training_accuracy=0.97, cost=0.2, epochs=4, seconds=2.0),
            outcome(mnist.MAIN, 2, 0.97, training_accuracy=1.00, cost=0.6, epochs=8, seconds=6.0),
        ],
        cross_entropy: [outcome(cross_entropy, shuffle, 0.95) for shuffle in range(3)],
    }).splitlines()  # fmt: skip
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2][2:5] == ["94.00 ± 1.73", "92.00, 95.00, 95.00", ""]
    assert cells[3][2:] == [
        "93.00 ± 3.61", "90.00, 92.00, 97.00", "-1.00", "97.00", "0.300", "5", "3.0"
    ]  # fmt: skip
    assert cells[4][4:7] == ["+1.00", "100.00", ""]  # whose cost is of another kind
    assert len({len(row) for row in cells}) == 1


def test_mistakes_are_those_whose_largest_output_is_anothers_the_surest_first() -> None:
    outputs = np.array([[0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.1, 0.0, 0.9], [0.2, 0.5, 0.3]])
    assert mnist.mistakes(np.array([1, 1, 0, 2]), outputs).tolist() == [2, 0, 3]
    assert mnist.mistakes(np.array([0, 1, 2, 1]), outputs).tolist() == []


@pytest.mark.parametrize("wrong", [0, 1, pytest.param(100, marks=pytest.mark.slow)])
def test_the_picture_of_mistakes_shows_as_many_as_there_are_up_to_40(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    from matplotlib.axes import Axes

    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text: titles.append(text))
    labels = np.array([3] * wrong + [8] * 20)
    outputs = np.full((len(labels), 10), 0.02)
    outputs[:, 8] = np.linspace(0.9, 0.5, len(labels))
    pixels = np.zeros((len(labels), 784), np.float32)
    mnist.draw_mistakes(data.Digits(pixels, labels), outputs, "It", tmp_path / "them.png")
    assert len(titles) == min(wrong, 40)
    assert not wrong or titles[0] == "3, read as 8\nat 90.0%"
    assert (tmp_path / "them.png").read_bytes().startswith(b"\x89PNG")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPTS / "mnist.py"), *map(str, arguments)],
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, "MPLBACKEND": "module://not.there"})  # fmt: skip


@pytest.mark.slow
def test_the_program_learns_compares_and_draws(tmp_path: Path) -> None:
    folder = write_test_part(tmp_path / "data", 1100)
    settings = ("--data", folder, "--epochs", 3, "--examples", 530, "--only", "batch")
    answer = run(*settings, "--output", tmp_path / "one")
    assert answer.returncode == 0, answer.stderr
    table = [line for line in answer.stdout.splitlines() if line.startswith("|")]
    wanted = [each for each in mnist.VARIANTS if each.group in ("main", "batch")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert [row[1] for row in rows] == [each.name for each in wanted]
    for row in rows:
        values = [float(each) for each in row[3].split(",")]
        assert len(values) == 3
        assert float(row[2].split("±")[0]) == pytest.approx(np.mean(values), abs=0.011)
    assert float(rows[0][2].split("±")[0]) > 85  # chance is 10
    assert answer.stderr.count("\n") == 3 * len(wanted)
    for shuffle, value in enumerate(rows[0][3].split(", ")):
        assert f"shuffle {shuffle}  {mnist.PLAIN.name}: {value}%" in answer.stderr
    assert (tmp_path / "one" / "comparison.md").read_text("utf-8").splitlines() == table
    for name in ("comparison.png", "mistakes.png"):
        assert f"{tmp_path / 'one' / name}" in answer.stdout
        picture = (tmp_path / "one" / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 10_000
    again = run(*settings, "--output", tmp_path / "two", "--jobs", 2)
    assert [line.split("|")[2:8] for line in again.stdout.splitlines() if line[0] == "|"] == [
        line.split("|")[2:8] for line in table
    ]  # the same to the last digit, only the seconds differ


@pytest.mark.parametrize(("options", "said"), [
    (["--network", "784,10,9"], "from 784 inputs to 10 outputs, not (784, 10, 9)"),
    (["--network", "784"], "must be units of layers such as 784,100,10, not 784"),
    (["--activation", "rleu"], "unknown activation 'rleu'; did you mean 'relu'?"),
    (["--rate", "-1"], "must be a number of at least 0, not -1"),
    (["--rate", "fast"], "must be a number of at least 0, not fast"),
    (["--dropout", "1"], "dropout must lie in [0, 1), not 1.0"),
    (["--cost", "log_likelihood", "--output-activation", "relu"], "goes with the output Softmax"),
    (["--batch", "0"], "at least 1, not 0"), (["--choose"], "--choose takes the training digits"),
])  # fmt: skip
def test_a_network_that_cannot_be_is_refused(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_test_part(tmp_path / "data", 1100)
    assert said in refusal(mnist, capsys, "--data", folder, *options)


def test_the_program_refuses_with_one_line(tmp_path: Path) -> None:
    answer = run("--data", tmp_path / "none")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert answer.stderr.startswith(f"mnist.py: there is no folder {tmp_path / 'none'}; ")
