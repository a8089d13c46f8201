"""The style sheet of the status page. On a narrow screen each row of a table becomes a block."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --dim: #767676; }
@media (prefers-color-scheme: dark) { :root { --good: #56d364; --bad: #ff7b72; --dim: #9a9a9a; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 80rem; padding: 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; }
th, td { text-align: left; vertical-align: top; }
td { white-space: nowrap; }
.text, .ids { min-width: 9rem; overflow-wrap: anywhere; white-space: normal; }
.ids { min-width: 19rem; }
small, footer { color: var(--dim); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.dim { color: var(--dim); }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 600; margin-top: 2rem; }
@media (max-width: 600px) {
thead, td:empty { display: none; }
table, tbody, tr { display: block; }
tr { border-bottom: 1px solid var(--line); padding: .6rem 0; }
td { border: 0; display: grid; grid-template-columns: 7rem 1fr; min-width: 0; padding: .1rem 0; white-space: normal; }
td::before { color: var(--dim); content: attr(data-label); }
}
"""
