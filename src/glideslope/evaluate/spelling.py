"""Values as they are spelt: the same value is the same text, whatever kind of file it came from."""

Value = str | int | float | bool | None


def text_of(value: Value) -> str:
    """Spell a value so that 1, 1.0 and "1" are one, and so are true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
