"""The lecture as exercises: functions to be written by yourself, with checks that cannot be fooled.

To solve them: ``python -m scratchgen exercises init`` writes the files to be completed into a folder of your own. What
they make together, ``python -m scratchgen exercises demo`` shows: see ``payoff``.

To write one, begin with ``python -m scratchgen exercises new NAME``, which writes a complete, small exercise, or with a
copy of ``ex11_kl_gaussians``, and go through it from the top. A file ``exNN_name.py`` has

- the task as its docstring, which the learner sees. The first line is ``Exercise NN: title.``; then the problem, its
  numbered equations, the shapes; at the end ``In the lecture: page …``, and which file of the library to look at
  afterwards.
- the imports, all at the top. Those that the learner's part uses go into the stub. Only public names of scratchgen,
  NumPy, SciPy; no other exercise. (``scipy.stats``, ``linalg`` … only in functions.)
- the function or functions, rarely a class, with types, and a docstring with a doctest whose output is exact. What is
  to be written, at most 25 lines in all, stands between ``# solution`` and ``# end of solution``, each alone on its
  line; the stub gets ``raise NotImplementedError`` there. There may be several such spots; helpers that are given need
  no markers.
- the line ``# end of the learner's part``. Nothing below it is in the stub.
- ``HINTS``: three strings: which idea, which equation, which line. Code in them is copied: it has -, not −.
  ``EXPLANATION``: shown after passing.
- ``check(student)``, which calls ``student.name`` by the helpers below, and raises ``Failure``. The first case is small
  enough to be worked out by hand, for it is what most learners will see. Make its numbers so that every mistake shows
  in it, and gives a result of its own.
- ``WRONG``: the known mistakes, by a phrase that completes "This is exactly what you get by …". Each is one of

      change("np.sum(", "np.mean(")              the solution with a piece replaced, which must occur once in it;
                                                 more pairs may follow: change(old, new, old, new)
      lambda x: …                                 in place of the function, if there is one
      {"forward": lambda x: …, "inverse": …}      in place of some functions, if there are several

  An author's reference solution is called in them by its own name. At least 5.

The helpers (``kit.judge``), all from ``scratchgen.exercises.kit``; ``case`` is what is tried, in a few words:

    expect(student.f, {"x": x}, expected, "case")   call f(x), compare shape and values; returns f(x)
    call(student.f, {"x": x}, "case")               only call it: for what is used further, as in round trips
    call(node.backward, {}, "case", returns=False)  the same of what may return None
    equal(got, expected, "case", given={…})         only compare; expected may be a tuple of several
    require(condition, "What is wrong.", "case", got=…)     anything else; always give ``got``: see below
    Failure("What is wrong.", case=…, given={…}, got=…, expected=…, mistake=…)    to be raised by yourself

All compare numbers by ``tol`` (default 1e-9, relative and absolute). ``expected`` comes from a closed form, brute force
or the library: never from the solution in the same file, and never from the learner.

A mistake is named by running the check on all of ``WRONG``: it is the one that fails in the same case with the same
``got``. So whatever raises a ``Failure`` passes what it found as ``got``: the array itself, not a summary. Where that
cannot be (a wrong answer that draws its own noise), name it in the check: ``mistake="drawing noise of your own"``,
a key of ``WRONG``. Two mistakes that the check cannot tell apart are named both; three make the test fail.

Checks are seeded (``np.random.default_rng``), take well below a second, and give noise as an argument. Methods and
functions with state are called through ``call`` too: ``call(student.Adam, {"lr": 0.1}, "case")``, then
``call(adam.step, {"grads": g}, "case")``.

``pytest tests/exercises -k ex11`` tests an exercise and all its wrong answers. It also spoils the solution in ways that
every check has to notice: a thousandth too large, one NaN, an axis too many, always the first answer, inputs changed.
Where a check cannot notice one of them by its nature, ``UNSPOILED`` in ``tests/exercises/test_exercises.py`` says why.
Right answers in other styles, which a check must not refuse, are in ``tests/exercises/test_right_answers.py``.
``pytest scratchgen/exercises/ex11_kl_gaussians.py`` tests the examples in the docstrings, and
``python -m scratchgen exercises mistakes 11`` prints what learners will see.

The first session in README.md tells how many exercises there are, and ``tests/test_readme.py`` holds it to that. How to
use exercises in class, in notebooks and in pytest: ``kit.teaching``.
"""
