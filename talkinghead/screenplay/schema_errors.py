"""What pydantic finds wrong with a scene -> errors in words: the place, what came, what is allowed. Checks nothing itself."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from talkinghead.errors import ScreenplayError
from talkinghead.screenplay.schema import CastMember, Line, ProsodyChange, Scene
from talkinghead.screenplay.source import Source, Where

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

SHOWN: Final = 60
"""Letters of what came that an error repeats."""
_MODELS: Final[dict[tuple[str, ...], Any]] = {
    (): Scene, ("cast", "*"): CastMember, ("lines", "*"): Line,
    ("cast", "*", "prosody"): ProsodyChange, ("lines", "*", "prosody"): ProsodyChange,
}  # fmt: skip


def schema_errors(error: ValidationError, source: Source) -> list[ScreenplayError]:
    """One for each thing that is wrong, at its place in the file."""
    return [_in_words(one, source) for one in _innermost(error, source)]


def _innermost(error: ValidationError, source: Source) -> list[ErrorDetails]:
    """What pydantic found, without what is only wrong because something in it is, or because a key is misspelt beside it."""
    found = {_where(one["loc"], source): one for one in reversed(error.errors())}
    unknown = {where[:-1] for where, one in found.items() if one["type"] == "extra_forbidden"}
    return [
        one
        for where, one in found.items()
        if not any(other[: len(where)] == where != other for other in found)
        and not (one["type"] == "missing" and where[:-1] in unknown)
    ]


def _in_words(one: ErrorDetails, source: Source) -> ScreenplayError:
    where = _where(one["loc"], source)
    name = _name(where)
    kind, context, given = one["type"], one.get("ctx", {}), one.get("input")
    if kind == "extra_forbidden":
        key = str(where[-1])[:SHOWN]
        return source.error(where, f"unknown key {key!r}; {_fields(where[:-1])}.{_meant(key, where, source)}", at_key=True)
    if kind == "missing":
        owner = _name(where[:-1]) or "the scene"
        return source.error(where[:-1], f"{owner} has no {where[-1]}; {_fields(where[:-1])}, and {where[-1]} must be given.")
    return source.error(where, f"{name or 'the scene'} is {_shown(given)}; {_wanted(kind, context, one['msg'])}.")


def _where(loc: tuple[Any, ...], source: Source) -> Where:
    """A place as pydantic says it, without what it adds of its own."""
    where: Where = ()
    for part in loc:
        if (*where, part) in source.starts or (*where, part) in source.keys or not where or part == loc[-1]:
            where = (*where, part)
    return where


def _name(where: Where) -> str:
    name = ""
    for part in where:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name.replace("lines[", "line ").replace("]", "") if where[:1] == ("lines",) else name


def _fields(where: Where) -> str:
    pattern = tuple(part if index % 2 == 0 else "*" for index, part in enumerate(where))
    model = _MODELS.get(tuple(str(part) for part in pattern))
    if model is None:
        return "see docs/screenplay.md"
    return f"{_name(where) or 'a scene'} has {', '.join(model.model_fields)}"


def _meant(key: str, where: Where, source: Source) -> str:
    """What an unknown key may have been: a field, or in a line somebody of the cast, who are named."""
    model = _MODELS.get(tuple(str(part) if index % 2 == 0 else "*" for index, part in enumerate(where[:-1])))
    fields = [] if model is None else list(model.model_fields)
    cast = source.values.get("cast") if where[0] == "lines" and isinstance(source.values, dict) else None
    names = [str(name) for name in cast] if isinstance(cast, dict) else []
    near = difflib.get_close_matches(key, [*names, *fields], n=1)
    who = f" Who speaks is of the cast: {', '.join(names)}." if names and (not near or near[0] in names) else ""
    return who + (f" Did you mean {near[0]}?" if near else "")


def _shown(given: Any) -> str:
    if given is None or given == "":
        return "empty"
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, (list, tuple)):
        return f"a list of {len(given)}"
    return repr(given)[:SHOWN] if isinstance(given, str) else str(given)[:SHOWN]


def _wanted(kind: str, context: dict[str, Any], message: str) -> str:
    """What is allowed, from pydantic's kind of error."""
    limits = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt", "less_than": "lt"}
    words = {"ge": "at least {}", "le": "at most {}", "gt": "more than {}", "lt": "less than {}"}
    if kind in limits:
        return "give " + words[limits[kind]].format(f"{context[limits[kind]]:g}")
    if kind == "literal_error":
        return "choose from " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if kind in ("too_long", "too_short", "string_too_long", "string_too_short"):
        bound = context.get("max_length", context.get("min_length"))
        return f"give {'at most' if 'long' in kind else 'at least'} {bound} of them"
    known = {
        "float_parsing": "give a number", "float_type": "give a number", "int_parsing": "give a whole number",
        "int_type": "give a whole number", "int_from_float": "give a whole number", "finite_number": "give a number",
        "string_type": "give a text; put a number or a yes in quotes", "path_type": "give the name of a file",
        "dict_type": "give name: value pairs", "tuple_type": "give a list", "model_type": "give name: value pairs",
        "model_attributes_type": "give name: value pairs", "bool_parsing": "give true or false",
    }  # fmt: skip
    return known.get(kind, message[:1].lower() + message[1:])
