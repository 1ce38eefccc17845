"""The delegation on the page for reviewers is one that the organisation of the page before it takes."""

import re
from pathlib import Path

from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.ids import Actor
from glideslope.interfaces.document import agreements


def yaml_block(root: Path, name: str, begins: str) -> str:
    text = (root / "docs" / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```yaml\n({begins}.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def test_security_is_handed_on_over_the_holidays_and_comes_back(root: Path) -> None:
    text = yaml_block(root, "say-who-decides", "organisation") + yaml_block(root, "review-a-change", "delegations")
    found = agreements.read(text, file="organisation.yaml").agreed
    assert isinstance(found, Organisation)

    (away,) = found.delegations
    sam, pia = Actor("sam"), Actor("pia")
    assert "security" in found.authority(sam, now=away.since - 1)
    assert found.authority(sam, now=away.since) == ()
    assert set(found.authority(pia, now=away.until - 1)) == {"product", "security"}
    assert set(found.authority(pia, now=away.until)) == {"product"}
    assert "security" in found.authority(sam, now=away.until)
