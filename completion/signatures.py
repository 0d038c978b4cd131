"""Definitions as one line of Python: for people in the popup, for the model in its prompt."""

from __future__ import annotations

from indexing.symbols import Definition, Kind, Parameter

_CALLABLE = (Kind.FUNCTION, Kind.METHOD)


_MAY_BE_CALLED = frozenset(str(kind) for kind in (Kind.FUNCTION, Kind.METHOD, Kind.CLASS))


def is_callable(kind: str) -> bool:
    """Whether accepting a name of this kind may insert a call."""
    return kind in _MAY_BE_CALLED


def signature(definition: Definition) -> str:
    """What follows the name: ``(timeout: float = 1) -> Client``, ``(Base)`` or ``: int``."""
    if definition.kind in _CALLABLE:
        parameters = ", ".join(map(parameter, call_parameters(definition)))
        returns = f" -> {definition.returns}" if definition.returns else ""
        return f"({parameters}){returns}"
    if definition.kind is Kind.CLASS:
        return f"({', '.join(definition.bases)})" if definition.bases else ""
    type_ = definition.annotation or definition.returns
    return f": {type_}" if type_ else (f" = {definition.value}" if definition.value else "")


def declaration(definition: Definition) -> str:
    """One line that declares it: ``def send(self, url) -> Response``, ``class Client(Base)``.

    As in the model's training: without a colon.
    """
    if definition.kind in _CALLABLE or definition.kind is Kind.PROPERTY:
        parameters = ", ".join(map(parameter, definition.parameters))
        returns = f" -> {definition.returns}" if definition.returns else ""
        return f"def {definition.name}({parameters}){returns}"
    if definition.kind is Kind.CLASS:
        return f"class {definition.name}{signature(definition)}"
    return f"{definition.name}{signature(definition)}"


def parameter(each: Parameter) -> str:
    """One parameter as written."""
    text = each.prefix + each.name
    if each.annotation:
        text += f": {each.annotation}"
    if each.default:
        text += f" = {each.default}" if each.annotation else f"={each.default}"
    return text


def call_parameters(definition: Definition) -> tuple[Parameter, ...]:
    """The parameters that a caller passes: without the bound first one of a method."""
    parameters = definition.parameters
    static = any("staticmethod" in decorator for decorator in definition.decorators)
    if definition.kind is Kind.METHOD and not static:
        return parameters[1:]
    return parameters


def required(definition: Definition) -> list[str]:
    """The names of the positional parameters that have no default."""
    names: list[str] = []
    for each in call_parameters(definition):
        if each.prefix or each.name == "*":
            break
        if each.default is None and each.name != "/":
            names.append(each.name)
    return names
