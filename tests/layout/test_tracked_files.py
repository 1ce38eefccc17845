"""What is committed works on other machines than the one it was written on."""

import re
from pathlib import Path

# Folders that exist on one person's machine only.
PLACES = "home|Users|root|work|opt|mnt"
MACHINE_PATH = re.compile(rf"""(?:^|[\s"'`=(\[<]|file:/{{0,2}})(/(?:{PLACES})/[\w.-]+)""", re.MULTILINE)


def test_no_tracked_file_names_a_path_of_one_machine(tracked: list[Path], root: Path) -> None:
    named = []
    for path in tracked:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or other binary; its text is not ours
        named += [f"{path.relative_to(root)}: {place}" for place in MACHINE_PATH.findall(text)]

    assert named == []


def test_the_check_sees_paths_and_not_addresses() -> None:
    folder = "/" + "home/ana"  # in two parts, so that this file does not find itself

    assert MACHINE_PATH.findall(f"open('{folder}/flights')") == [folder]
    assert MACHINE_PATH.findall(f"file://{folder}/flights") == [folder]
    assert MACHINE_PATH.findall("GET http://localhost/work/orders and src/opt/thing") == []
