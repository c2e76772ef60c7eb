"""What ends a descent before its end, at whatever moment: what was done stays, and is shown."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

import gradmagic
from gradmagic.core.descent import descend, surface

STOP = "n[0] += 1\nif n[0] == {step}:\n    [signal.raise_signal(signal.SIGINT) for _ in range(2)]\n"


def make_names(tf: Any, *, variable: bool = False) -> dict[str, Any]:
    make = tf.Variable if variable else tf.constant
    return {"tf": tf, "w": make(1.0), "n": [0], "signal": signal}


@pytest.mark.parametrize("variable", [False, True])
def test_an_interrupt_within_a_step_keeps_the_last_whole_one(tf, variable):
    names = make_names(tf, variable=variable)
    extremes = "bump = {1: 5.0, 2: -5.0}.get(n[0], 0.0)\n"  # which are kept anyway
    body = STOP.format(step=451) + extremes + "loss = (w - 3.0) ** 2 + bump"
    done = gradmagic.descend(body, "w", names=names, steps=1000, lr=1e-4)[0]
    assert (done.ended, done.done, done.kept[-1]) == ("interrupted", 450, 449)
    last = done.moments[-1]
    assert last.values[0] - np.float32(1e-4) * last.gradients[0] == pytest.approx(
        names["w"].numpy(), rel=1e-6
    )


def test_an_interrupt_in_the_first_step_of_a_second_rate_keeps_the_first_run(tf):
    names, plain = make_names(tf), make_names(tf)
    body = STOP.format(step=4) + "loss = w * w"
    done = gradmagic.descend(body, "w", names=names, steps=3, lr=[0.1, 0.2])
    assert [run.done for run in done.runs] == [3]
    gradmagic.descend("loss = w * w", "w", names=plain, steps=3)
    assert names["w"].numpy() == plain["w"].numpy()
    with pytest.raises(KeyboardInterrupt):  # nothing is there to show
        gradmagic.descend(STOP.format(step=5) + "loss = w * w", "w", names=names, lr=[0.1, 0.2])


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_while_the_surface_is_computed_leaves_it_out(tf, monkeypatch, times):
    choose = surface._choose_plane

    def choose_interrupted(*arguments: Any) -> Any:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return choose(*arguments)

    monkeypatch.setattr(surface, "_choose_plane", choose_interrupted)
    names = make_names(tf)
    before = signal.getsignal(signal.SIGINT)
    done = gradmagic.descend("loss = w * w", "w", names=names, steps=3)[0]
    assert (done.ended, done.done, done.surface) == ("done", 3, None)
    assert names["w"].numpy() == pytest.approx(0.8**3)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_between_two_rates_ends_with_the_first(tf, monkeypatch):
    take = descend.take_notes

    def take_interrupted(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return take(*arguments)

    monkeypatch.setattr(descend, "take_notes", take_interrupted)
    done = gradmagic.descend("loss = w * w", "w", names=make_names(tf), steps=3, lr=[0.1, 0.2])
    assert [(run.ended, run.done, run.surface) for run in done.runs] == [("done", 3, None)]
