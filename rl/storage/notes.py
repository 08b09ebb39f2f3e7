"""What a person has noted about a run: tags and a text, in a file beside its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rl.errors import UserError, brief, on_disk
from rl.storage.files import make_folder, only_one, read_json, write_json
from rl.storage.forms import block_of, is_text, list_of, maybe_empty
from rl.storage.texts import encodable

NAME = "note.json"
LONGEST, LONGEST_TAG = 10_000, 60  # characters
MOST_TAGS = 50
SECONDS_TO_WAIT = 10.0  # for another process that writes one
FORM = block_of({}, {"note": is_text, "tags": maybe_empty(list_of(is_text))})


@dataclass(frozen=True)
class Note:
    """A text and tags; either may be empty."""

    text: str = ""
    tags: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """Both on one line; empty without either."""
        return " ".join([*(f"[{tag}]" for tag in self.tags), *self.text.split()])


NOTHING = Note()


def read_note(folder: Path) -> Note:
    """What was noted in the folder of a run, of a trial or of a comparison.

    Raises:
        UserError: the file is damaged.
    """
    values = read_json(file := folder / NAME)
    if not FORM(values):
        raise UserError(f"{file}: is damaged; remove it")
    return Note(encodable(values.get("note", "")), tuple(map(encodable, values.get("tags", ()))))


def write_note(
    folder: Path,
    text: str | None = None,
    tags: Iterable[str] = (),
    untag: Iterable[str] = (),
) -> Note:
    """Changes what is noted in a folder; the file goes with the last text and tag.

    Args:
        folder: of a run, of a trial or of a comparison.
        text: the new text; an empty one removes it, and None leaves it as it is.
        tags: to add.
        untag: tags to remove; one that is not there is ignored.

    Raises:
        UserError: a text is too long, or the file is damaged or cannot be written.
    """
    with on_disk(folder / NAME), only_one(folder / ".note.lock", SECONDS_TO_WAIT):
        before = read_note(folder)
        removed = set(map(tag_of, untag))
        kept = dict.fromkeys((*before.tags, *map(tag_of, tags)))
        note = Note(
            before.text if text is None else encodable(text).strip(),
            tuple(tag for tag in kept if tag not in removed),
        )
        if len(note.text) > LONGEST or len(note.tags) > MOST_TAGS:
            raise UserError(f"a note has at most {LONGEST:,} characters and {MOST_TAGS} tags")
        if note == NOTHING:
            (folder / NAME).unlink(missing_ok=True)
        elif note != before:
            write_json(folder / NAME, {"note": note.text, "tags": note.tags})
    return note


def carry_notes(folders: Iterable[Path], target: Path) -> bool:
    """Notes in a folder what is noted in others: each different text, a line of its own, and tags.

    Args:
        folders: of the runs or trials.
        target: the folder.

    Returns:
        False if it is too much for one note, and the end was left out.

    Raises:
        UserError: a file is damaged or cannot be written.
    """
    notes = [read_note(folder) for folder in folders]
    text = "\n".join(dict.fromkeys(note.text for note in notes if note.text))
    tags = list(dict.fromkeys(tag for note in notes for tag in note.tags))
    if text or tags:
        make_folder(target)
        write_note(target, text[:LONGEST], tags[:MOST_TAGS])
    return len(text) <= LONGEST and len(tags) <= MOST_TAGS


def tag_of(text: str) -> str:
    """A tag as it is kept, with single spaces.

    Raises:
        UserError: it is empty, too long, or has a comma or a character that cannot be shown.
    """
    tag = " ".join(text.split())
    if not tag or len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable():
        raise UserError(
            f"{brief(text)} is no tag, which has 1 to {LONGEST_TAG} printable characters and no "
            "comma"
        )
    return tag
