"""From text to tree, by recursive descent: the grammar is the one in the reference, rule by rule.

Every rule consumes at least one character or fails, and nesting is counted, so that no text costs more than its length.
"""

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from glideslope.domain.expression.mistakes import ExpressionInvalid
from glideslope.domain.expression.tree import (
    DEEPEST,
    EQUALITY,
    FUNCTIONS,
    KEYWORDS,
    LONGEST,
    LONGEST_TEXT,
    MOST_PARTS,
    ORDER,
    Binary,
    Call,
    Choice,
    Literal,
    Name,
    Node,
    Not,
    Sign,
)

_TOKEN: Final = re.compile(
    r"(?P<space>[ \n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?P<mark>==|!=|<=|>=|[-+*/<>(),])"
)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ELSEWHERE: Final = {
    "&": "`and`",
    "|": "`or`",
    "!": "`not`",
    "=": "`==`",
    "^": "a product, like `x * x`",
    "%": "a division, like `x / 100`",
}
"""What other languages write, and what is written here."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`number`, `word`, `text`, `mark`, or `end`."""
    text: str
    at: int

    @property
    def shown(self) -> str:
        return f"`{self.text}`" if self.text else "the end"


def parsed(text: str) -> Node:
    """Return the tree of an expression. Raises ExpressionInvalid."""
    if len(text) > LONGEST:
        raise ExpressionInvalid(
            f"an expression of {len(text):,} characters is longer than {LONGEST}", offset=LONGEST, width=1
        )
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        if match.lastgroup != "space":
            found.append(_Token(kind=str(match.lastgroup), text=match.group(), at=at))
        at = match.end()
    return [*found, _Token(kind="end", text="", at=len(text))]


def _unreadable(text: str, at: int) -> ExpressionInvalid:
    character = text[at]
    if character in "'\"":
        return ExpressionInvalid("this text has no closing quote", offset=at, width=len(text) - at)
    if character == ".":
        return ExpressionInvalid(
            "a dot means nothing here; inputs have no parts, and a number begins with a digit", offset=at
        )
    shown = f"`{character}`" if character.isprintable() else f"the character U+{ord(character):04X}"
    return ExpressionInvalid(f"{shown} means nothing here", offset=at, suggestion=_ELSEWHERE.get(character, ""))


class _Parser:
    """Reads tokens from left to right, one of them ahead."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self._parts = 0

    def whole(self) -> Node:
        """`expression`, and then nothing more."""
        node = self._choice()
        if self._ahead.kind != "end":
            hint = "`*`" if self._ahead.kind in ("word", "number") or self._ahead.text == "(" else ""
            raise self._failure(f"expected an operator or the end before {self._ahead.shown}", suggestion=hint)
        return node

    def _choice(self) -> Node:
        """`disjunction [ "if" disjunction "else" choice ]`."""
        then = self._disjunction()
        if self._ahead.text != "if":
            return then
        at = self._take().at
        condition = self._disjunction()
        if self._ahead.text != "else":
            raise self._failure(f"expected `else` before {self._ahead.shown}: an `if` says what holds otherwise")
        self._take()
        self._deeper()
        otherwise = self._choice()
        self._depth -= 1
        return self._counted(Choice(then=then, condition=condition, otherwise=otherwise, at=at))

    def _disjunction(self) -> Node:
        """`conjunction { "or" conjunction }`."""
        node = self._conjunction()
        while self._ahead.text == "or":
            at = self._take().at
            node = self._counted(Binary(operator="or", left=node, right=self._conjunction(), at=at))
        return node

    def _conjunction(self) -> Node:
        """`negation { "and" negation }`."""
        node = self._negation()
        while self._ahead.text == "and":
            at = self._take().at
            node = self._counted(Binary(operator="and", left=node, right=self._negation(), at=at))
        return node

    def _negation(self) -> Node:
        """`"not" negation | comparison`."""
        if self._ahead.text != "not":
            return self._comparison()
        at = self._take().at
        self._deeper()
        operand = self._negation()
        self._depth -= 1
        return self._counted(Not(operand=operand, at=at))

    def _comparison(self) -> Node:
        """`sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) sum ]`."""
        node = self._sum()
        if self._ahead.text not in EQUALITY | ORDER:
            return node
        operator = self._take()
        node = self._counted(Binary(operator=operator.text, left=node, right=self._sum(), at=operator.at))
        if self._ahead.text in EQUALITY | ORDER:
            raise self._failure("comparisons are not chained; write `a < b and b < c`")
        return node

    def _sum(self) -> Node:
        """`product { ( "+" | "-" ) product }`."""
        node = self._product()
        while self._ahead.text in ("+", "-"):
            operator = self._take()
            node = self._counted(Binary(operator=operator.text, left=node, right=self._product(), at=operator.at))
        return node

    def _product(self) -> Node:
        """`sign { ( "*" | "/" ) sign }`."""
        node = self._sign()
        while self._ahead.text in ("*", "/"):
            operator = self._take()
            if self._ahead.text in ("*", "/"):
                raise self._failure(f"{operator.text}{self._ahead.text} means nothing here", suggestion=_ELSEWHERE["^"])
            node = self._counted(Binary(operator=operator.text, left=node, right=self._sign(), at=operator.at))
        return node

    def _sign(self) -> Node:
        """`"-" sign | atom`."""
        if self._ahead.text != "-":
            return self._atom()
        at = self._take().at
        self._deeper()
        operand = self._sign()
        self._depth -= 1
        return self._counted(Sign(operand=operand, at=at))

    def _atom(self) -> Node:
        """`number | text | "true" | "false" | call | name | "(" choice ")"`."""
        token = self._ahead
        match token.kind:
            case "number":
                return self._number()
            case "text":
                return self._text()
            case "word" if token.text in ("true", "false"):
                self._take()
                return self._counted(Literal(value=token.text == "true", at=token.at, width=len(token.text)))
            case "word" if token.text not in KEYWORDS:
                return self._named()
            case _ if token.text == "(":
                return self._nested()
            case _:
                raise self._failure(f"expected a value before {token.shown}")

    def _nested(self) -> Node:
        self._take()
        self._deeper()
        node = self._choice()
        self._close()
        self._depth -= 1
        return node

    def _named(self) -> Node:
        """`name`, or `function "(" choice { "," choice } ")"`."""
        token = self._take()
        if self._ahead.text == "(":
            return self._call(token)
        if token.text in FUNCTIONS:
            raise self._failure(f"{token.shown} is a function; write what it is of in parentheses", token)
        if not _NAME.fullmatch(token.text):
            wanted = token.text.lower()
            hint = f"`{wanted}`" if _NAME.fullmatch(wanted) else ""
            raise self._failure(
                f"{token.shown} is no name: a small letter, then up to 63 of a to z, 0 to 9 and _",
                token,
                suggestion=hint,
            )
        return self._counted(Name(name=token.text, at=token.at))

    def _call(self, token: _Token) -> Node:
        if token.text not in FUNCTIONS:
            close = get_close_matches(token.text, FUNCTIONS, n=1)
            known = ", ".join(sorted(FUNCTIONS))
            raise self._failure(
                f"there is no function {token.shown}; there are {known}",
                token,
                suggestion=f"`{close[0]}`" if close else "",
            )
        self._take()
        self._deeper()
        arguments = [self._choice()]
        while self._ahead.text == ",":
            self._take()
            arguments.append(self._choice())
        self._close()
        self._depth -= 1
        least, most = FUNCTIONS[token.text]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise self._failure(f"{token.shown} takes {wanted} values, not {len(arguments)}", token)
        return self._counted(Call(function=token.text, arguments=tuple(arguments), at=token.at))

    def _number(self) -> Node:
        token = self._take()
        value = float(token.text)
        if not math.isfinite(value):
            raise self._failure(f"{token.shown} is larger than any number can be", token)
        return self._counted(Literal(value=value, at=token.at, width=len(token.text)))

    def _text(self) -> Node:
        token = self._take()
        value = token.text[1:-1]
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise self._failure(f"a text has up to {LONGEST_TEXT} printable characters", token)
        return self._counted(Literal(value=value, at=token.at, width=len(token.text)))

    @property
    def _ahead(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._ahead
        self._next += 1
        return token

    def _close(self) -> None:
        if self._ahead.text != ")":
            raise self._failure(f"expected `)` before {self._ahead.shown}")
        self._take()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._failure(f"this is nested more than {DEEPEST} deep")

    def _counted(self, node: Node) -> Node:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise ExpressionInvalid(f"an expression has at most {MOST_PARTS} parts", offset=node.at, width=node.width)
        return node

    def _failure(self, sentence: str, token: _Token | None = None, *, suggestion: str = "") -> ExpressionInvalid:
        found = self._ahead if token is None else token
        return ExpressionInvalid(sentence, offset=found.at, width=len(found.text), suggestion=suggestion)
