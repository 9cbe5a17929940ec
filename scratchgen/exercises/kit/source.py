"""One file, three readers: from the source of an exercise come the learner's stub, the solution, and the wrong answers.

The source of an exercise has this form; all above the line ``END`` is the learner's part:

    docstring                      the task
    imports                        those that the learner's part uses go into the stub, and NumPy always
    def answer(x): ...             what to write, its body between the comments ``# solution`` and ``# end of solution``
    # end of the learner's part    (END)
    HINTS, EXPLANATION, check, WRONG

The stub is the learner's part with ``raise NotImplementedError`` for what the comments enclose.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import NamedTuple

END = "# end of the learner's part"
SOLUTION = re.compile(r"^( +)# solution\n(.*?)^ +# end of solution\n", re.DOTALL | re.MULTILINE)
LONGEST = 25


class Change(NamedTuple):
    """A wrong answer that is the solution but for a piece of code: see ``change``."""

    pieces: tuple[tuple[str, str], ...]


def change(*pieces: str) -> Change:
    """A wrong answer: the solution with ``old`` replaced by ``new``; more pairs may follow. ``old`` must be unique.

    >>> change("np.sum", "np.mean")
    Change(pieces=(('np.sum', 'np.mean'),))
    """
    if len(pieces) % 2 or not pieces:
        raise ValueError(f"change takes pairs of old and new code; it got {len(pieces)} pieces")
    return Change(tuple(zip(pieces[::2], pieces[1::2])))


@lru_cache(maxsize=64)  # each wrong answer is made from it again
def learners_part(text: str) -> str:
    """The docstring, the imports that are used in what follows, and all code above ``END``.

    Raises:
        ValueError: if a marker is missing.
    """
    lines = text.splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines) if line.rstrip() == END]
    if len(ends) != 1 or not SOLUTION.search(text):
        raise ValueError(f"an exercise has one line {END!r}, and above it `# solution` … `# end of solution`")
    above = [node for node in ast.parse(text).body if node.lineno <= ends[0]]
    imports = [node for node in above if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in above[1:] if node not in imports]
    docstring = "".join(lines[: above[0].end_lineno])
    code = "".join(lines[(imports or above[:1])[-1].end_lineno : ends[0]]).strip("\n") + "\n"
    used = names_in(rest)
    if any(isinstance(node, ast.ClassDef) for node in rest):
        used.add("annotations")  # of __future__: the types of a class's methods may name the class
    return "\n".join(filter(None, [docstring, used_imports(imports, used), "\n" + code]))


def names_in(nodes: list[ast.stmt]) -> set[str]:
    """All names that the code uses."""
    return {child.id for node in nodes for child in ast.walk(node) if isinstance(child, ast.Name)}


def used_imports(imports: list[ast.Import | ast.ImportFrom], used: set[str]) -> str:
    """The import lines of names that are used, and always that of NumPy; scratchgen's own stand apart."""
    groups: tuple[list[str], list[str]] = ([], [])
    for node in imports:
        node.names = [a for a in node.names if a.name == "numpy" or (a.asname or a.name.split(".")[0]) in used]
        module = getattr(node, "module", "") or ""
        if node.names:
            groups[module.startswith("scratchgen")].append(ast.unparse(node))
    return "\n".join("\n".join(group) + "\n" for group in groups if group)


def bodies(text: str) -> list[str]:
    """The marked pieces of code, in order."""
    return [match[2] for match in SOLUTION.finditer(text)]


def lines_to_write(text: str) -> int:
    """How many lines the solution has, without blank ones and comments."""
    lines = [line.strip() for body in bodies(learners_part(text)) for line in body.splitlines()]
    return sum(1 for line in lines if line and not line.startswith("#"))


def stub_of(text: str) -> str:
    '''What the learner gets.

    >>> text = "'Twice x.'" + """
    ... def twice(x):
    ...     # solution
    ...     return 2 * x
    ...     # end of solution
    ... # end of the learner's part
    ... """
    >>> print(stub_of(text))
    'Twice x.'
    <BLANKLINE>
    <BLANKLINE>
    def twice(x):
        # Your code here: about 1 line.
        raise NotImplementedError("not written yet")
    <BLANKLINE>
    '''

    def blank(match: re.Match[str]) -> str:
        count = sum(1 for line in match[2].splitlines() if line.strip() and not line.strip().startswith("#"))
        about = f"about {count} line{'' if count == 1 else 's'}"
        return f'{match[1]}# Your code here: {about}.\n{match[1]}raise NotImplementedError("not written yet")\n'

    return SOLUTION.sub(blank, learners_part(text))


def solution_of(text: str) -> str:
    """The learner's part with the solution in it, without the markers."""
    return SOLUTION.sub(lambda match: match[2], learners_part(text))


def changed(text: str, change: Change) -> str:
    """The solution with a piece of it changed.

    Raises:
        ValueError: unless the piece occurs in the solution, and once.
    """
    part = learners_part(text)
    for old, new in change.pieces:
        count = sum(body.count(old) for body in bodies(part))
        if count != 1:
            raise ValueError(f"a wrong answer changes {old!r}, which the solution has {count} times, not once")
        part = SOLUTION.sub(lambda match, old=old, new=new: match[0].replace(old, new), part)  # type: ignore[misc]
    return SOLUTION.sub(lambda match: match[2], part)
