"""The leaderboard: every family of the lecture on the same data, in the same units, beside the truth.

Twelve models are trained on two toys whose entropy is known, and on the digits: mixture and probabilistic PCA (page 3),
VAE and IWAE (pages 7 to 9), MADE and a transformer (page 10), RealNVP, a flow of splines and MAF (page 11), a DDPM, the
probability flow of a score, and flow matching (page 12). Each is asked for −log p(x) of fresh data, in nats, and for
samples, which are compared with data in three ways. The first row is the truth itself: data against other data, which
is the best that there is to be had. It is one draw of them, as each model has one: by chance another may lie nearer.

What a model says of log p(x) is the thing itself, a lower bound on it (so that the model may be better), or an
estimate: the table tells which. No density has fewer nats than the entropy on average. A figure that is below it by
more than its error is an alarm, and the run fails: then a log-determinant has the wrong sign, a dimension was forgotten
or a bound was taken from the wrong side, but nobody has beaten the truth.

One table of one seed is no verdict on families: each has a small network, seconds of training, and the settings of its
own page or near them, not tuned for this comparison. In short, all get 15 % of the training, and what learns slowly,
diffusion above all, comes out worse than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from demos.board import images, points, table
from demos.board.contest import TRUTH, BetterThanTheTruth, Board, Row, rows_of
from demos.common import Stage, main
from demos.page11_digits import independent_pixels
from scratchgen.atomic import replacing
from scratchgen.data import EightGaussians, TwoMoons

TITLE = "All families: the leaderboard"
SECONDS, QUICK_SECONDS = 340, 60
QUICK_SHARE = 0.15  # of the training


def boards(quick: bool) -> list[Callable[[tuple[int, int]], Board]]:
    """What is played for, each made from the seed of the run and its own."""
    tested, drawn, most = (1000, 500, 100) if quick else (4000, 2000, 447)
    return [
        lambda seed: points.board("two moons", TwoMoons(std=0.1), seed, tested, drawn),
        lambda seed: points.board("eight Gaussians", EightGaussians(), seed, tested, drawn),
        lambda seed: images.board(seed, most),
    ]


def run(stage: Stage, seed: int) -> None:
    """Train and measure everyone, write the table in three forms, and look for alarms."""
    publish(stage, *play(stage, seed, boards(stage.quick), QUICK_SHARE if stage.quick else 1.0))


def play(
    stage: Stage, seed: int, makers: Sequence[Callable[[tuple[int, int]], Board]], share: float
) -> tuple[list[Row], dict[str, str]]:
    """The rows of these boards, with this share of the full length of training; and a line on each data set."""
    rows, about = [], {}
    for i, make in enumerate(makers):
        board = make((seed, i))
        about[board.name] = board.about
        for row in rows_of(board, share, (seed, i), stage.say):
            rows.append(row)
            stage.say("  ".join(text for text in table.shown(row) if text))
    return rows, about


def publish(stage: Stage, rows: list[Row], about: dict[str, str]) -> None:
    """Print, write and draw the table.

    Raises:
        BetterThanTheTruth: naming the rows that raised an alarm, once all is written.
    """
    text = table.as_text(rows, about)
    print(f"\n{text}")
    for suffix, content in (("txt", text), ("csv", table.as_csv(rows))):
        path = stage.out / f"leaderboard.{suffix}"
        with replacing(path) as file:
            file.write(content.encode())
        stage.say(f"wrote {path}")
    for name, line in about.items():
        summary(stage, name, line, [row for row in rows if row.data == name])
    show(stage, rows)
    require_no_alarm(rows)


def require_no_alarm(rows: Sequence[Row]) -> None:
    """Raises BetterThanTheTruth, with the rows that are."""
    alarms = [
        f"{row.model} on {row.data}: gap {row.nats.gap:.3f} ± {row.nats.gap_error:.3f} nats"
        for row in rows
        if row.is_alarm and row.nats
    ]
    if alarms:
        raise BetterThanTheTruth(
            f"{'; '.join(alarms)}: below 0 beyond its error, which no density is. Look for a sign, a dimension, or a "
            "bound from the wrong side"
        )


def summary(stage: Stage, name: str, about: str, rows: Sequence[Row]) -> None:
    """Who is nearest to the truth, in a line or two."""
    truth, *others = rows
    best, model = min(((row.nats, row.model) for row in others if row.nats), key=lambda found: found[0].value)
    stage.result(f"{name}: {about}")
    if best.gap is not None:
        stage.result(f"{name}: least gap to the entropy {best.gap:.3f} ± {best.gap_error:.3f}, {model}")
    else:
        stage.result(f"{name}: fewest nats {best.value:.2f} ± {best.error:.2f}, {model}")
    nearest = min(others, key=lambda row: row.sliced.value)
    unseen = [row.model for row in others if row.mmd.p > 0.01]
    stage.result(
        f"{name}: samples nearest to data by sliced W {nearest.sliced} ({nearest.model}), data themselves "
        f"{truth.sliced}; MMD sees no difference (p > 0.01) for {', '.join(unseen) or 'none'}"
    )


def show(stage: Stage, rows: Sequence[Row]) -> None:
    """Both pictures."""
    stage.save(
        table.draw_nats(rows, {"digits": independent_pixels()}),
        "leaderboard",
        "Nats, beside the truth",
        "−E[log p_model(x)] − H = KL(p ‖ p_model) ≥ 0",
        "How far each model is above the entropy (dashed, 0) on the toys, in nats; the axis is logarithmic beyond 0.1. "
        "For the digits nobody knows the entropy: nats per image, beside those of independent pixels (dashed). "
        "Of a bound it is known that the model is at least that good.",
    )
    stage.save(
        table.draw_samples(rows),
        "leaderboard_samples",
        "Samples, beside the truth",
        "x ~ p_model",
        f"The first column is data ({TRUTH}), the others are samples of each model.",
    )


if __name__ == "__main__":
    import sys

    main(sys.modules[__name__])
