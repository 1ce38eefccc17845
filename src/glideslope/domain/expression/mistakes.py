"""What is wrong with an expression as written, and where in it."""

from glideslope.domain.errors import PlanInvalid


class ExpressionInvalid(PlanInvalid):
    """A plan-invalid with its place in the expression: `offset` counts characters from 0, `width` is at least 1."""

    def __init__(self, sentence: str, *, offset: int, width: int = 1, suggestion: str = "") -> None:
        super().__init__(sentence, suggestion=suggestion)
        self.offset = offset
        self.width = max(1, width)
