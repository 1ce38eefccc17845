"""Which witnesses count: public keys in a file of the state folder, read whenever they are needed."""

from pathlib import Path

from glideslope.domain.errors import StoreUnavailable, WitnessesUnreadable
from glideslope.ledger.cosignature import Witness
from glideslope.ledger.errors import NoteError


def read(path: Path) -> tuple[Witness, ...]:
    """Return the witnesses of a file, none where there is no file. Raises WitnessesUnreadable, StoreUnavailable."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError:
        raise WitnessesUnreadable(path=str(path), line=1, why="it is not UTF-8") from None
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    found: list[Witness] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(Witness.parse(line.strip()))
            except NoteError as error:
                raise WitnessesUnreadable(path=str(path), line=number, why=str(error)) from None
    return tuple(dict.fromkeys(found))
