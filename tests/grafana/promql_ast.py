"""Traversal of PromQL syntax trees."""

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
"""A node, and the names of the functions that enclose it, innermost first."""


def walk(expr: Expr, functions: tuple[str, ...] = ()) -> Iterator[Node]:
    """Yield every node of a tree, parents first."""
    yield expr, functions
    match expr:
        case AggregateExpr():
            yield from walk(expr.expr, functions)
            if expr.param is not None:
                yield from walk(expr.param, functions)
        case BinaryExpr():
            yield from walk(expr.lhs, functions)
            yield from walk(expr.rhs, functions)
        case Call():
            for argument in expr.args:
                yield from walk(argument, (expr.func.name, *functions))
        case MatrixSelector():
            yield from walk(expr.vector_selector, functions)
        case ParenExpr() | SubqueryExpr() | UnaryExpr():
            yield from walk(expr.expr, functions)
        case _:
            pass


def selectors(expr: str) -> Iterator[tuple[VectorSelector, tuple[str, ...]]]:
    """Yield every selector of a query, with the enclosing functions."""
    for node, functions in walk(parse(expr)):
        if isinstance(node, VectorSelector):
            yield node, functions


def range_selectors(expr: str) -> Iterator[tuple[MatrixSelector, tuple[str, ...]]]:
    """Yield every range vector selector of a query, with the enclosing functions."""
    for node, functions in walk(parse(expr)):
        if isinstance(node, MatrixSelector):
            yield node, functions


def constant_fallbacks(expr: str) -> Iterator[BinaryExpr]:
    """Yield every ``or vector(...)``, which hides a missing metric."""
    for node, _ in walk(parse(expr)):
        if isinstance(node, BinaryExpr) and str(node.op) == "or":
            fallback = node.rhs
            if isinstance(fallback, Call) and fallback.func.name == "vector":
                yield node
