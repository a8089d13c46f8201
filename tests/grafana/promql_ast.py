"""Walking a query's syntax tree."""

from collections.abc import Iterator

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    parse,
)

Node = tuple[Expr, tuple[str, ...]]
"""A node, and the names of the functions around it, the nearest first."""


def walk(expr: Expr, around: tuple[str, ...] = ()) -> Iterator[Node]:
    """Every node of a tree, from the root down."""
    yield expr, around
    match expr:
        case AggregateExpr():
            yield from walk(expr.expr, around)
            if expr.param is not None:
                yield from walk(expr.param, around)
        case BinaryExpr():
            yield from walk(expr.lhs, around)
            yield from walk(expr.rhs, around)
        case Call():
            for argument in expr.args:
                yield from walk(argument, (expr.func.name, *around))
        case MatrixSelector():
            yield from walk(expr.vector_selector, around)
        case ParenExpr() | SubqueryExpr() | UnaryExpr():
            yield from walk(expr.expr, around)
        case _:
            pass


def selectors(expr: str) -> Iterator[tuple[VectorSelector, tuple[str, ...]]]:
    """Every selector of a query, with the functions around it."""
    for node, around in walk(parse(expr)):
        if isinstance(node, VectorSelector):
            yield node, around


def windows(expr: str) -> Iterator[tuple[MatrixSelector, tuple[str, ...]]]:
    """Every range vector of a query, with the functions around it."""
    for node, around in walk(parse(expr)):
        if isinstance(node, MatrixSelector):
            yield node, around


def constant_fallbacks(expr: str) -> Iterator[BinaryExpr]:
    """Every ``or vector(...)``: it hides a metric that is not there."""
    for node, _ in walk(parse(expr)):
        if isinstance(node, BinaryExpr) and str(node.op) == "or" and isinstance(node.rhs, Call):
            yield node
