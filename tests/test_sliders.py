"""The numbers that sliders look up, row by row against closed forms in NumPy float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradmagic
from gradmagic.core.losses.panel import Origin, make_panel
from gradmagic.core.losses.samples import MOST_LISTED, choose_sample, list_samples
from gradmagic.core.losses.sliders import (
    MOST_CLASSES,
    RIGHT,
    SCALARS,
    STUCK,
    UNDECIDED,
    WRONG,
    choose_classes,
    compute_tables,
    find_leads,
    find_peak,
    find_setting,
    move_slider,
)
from gradmagic.core.losses.stability import compute_examples


@pytest.fixture(scope="module")
def comparison(tf):
    tf.random.set_seed(3)
    rows = tf.unstack(tf.random.normal([5, 4]) * 3)
    rows[2] = tf.roll(rows[2], 1, 0) * 1.5  # surely wrong
    return gradmagic.compare_losses([1, 2, 3, 0, 2], tf.stack(rows))


def make_tables(comparison, sample=2, **changes):
    from dataclasses import replace

    setting = replace(find_setting(comparison, sample), **changes)
    return compute_tables(comparison, setting, find_leads(comparison, list_samples(comparison)))


def move(comparison, setting):
    return compute_tables(comparison, setting, find_leads(comparison, (0,)))


def closed_form(y, z):
    y, z = np.asarray(y, np.float64), np.asarray(z, np.float64)
    p = np.exp(z - z.max())
    p /= p.sum()
    error = p - y
    log_sum = z.max() + math.log(np.exp(z - z.max()).sum())
    return {
        "p": p,
        "ce_slope": error,
        "mse_slope": 2 / len(z) * p * (error - (error * p).sum()),
        "crossentropy": float((y * (log_sum - z)).sum()),
        "mse": float((error**2).mean()),
    }


def find_row(tables, slider, position):
    """Logits and target of a position, and the table's numbers, by name."""
    own = tables.sliders[slider]
    count = len(tables.shown)
    row = tables.values[own.start + position]
    target = tables.target
    first = tables.sliders[-2].start
    if own.start >= first:
        target = tables.targets[own.start + position - first]
    logits = tables.logits.copy()
    if own.kind == "logit":
        logits[slider] = own.positions[position]
    elif own.kind == "confidence":
        logits = tables.scaled[position]
    numbers = dict(zip(SCALARS, row[-len(SCALARS) :], strict=True))
    return logits, target, row[: 3 * count].reshape(3, count), numbers


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_every_position_of_every_slider_is_right(comparison, smoothing):
    tables = make_tables(comparison, smoothing=smoothing)
    for slider, own in enumerate(tables.sliders):
        for position in range(0, len(own.positions), 3):
            logits, target, by_class, numbers = find_row(tables, slider, position)
            expected = closed_form(target, logits)
            for found, name in zip(by_class, ("p", "ce_slope", "mse_slope"), strict=True):
                np.testing.assert_allclose(found, expected[name], atol=2e-6)
            for loss in ("crossentropy", "mse"):
                assert math.isclose(numbers[loss], expected[loss], rel_tol=1e-5, abs_tol=2e-6)
                slope = expected["ce_slope" if loss == "crossentropy" else "mse_slope"]
                pull = np.linalg.norm(slope)
                assert math.isclose(numbers[f"{loss}_pull"], pull, rel_tol=2e-4, abs_tol=2e-6)


def test_slopes_are_the_derivatives_by_the_slider(comparison):
    tables = make_tables(comparison)
    for slider, own in enumerate(tables.sliders[:5]):
        for position in range(1, len(own.positions) - 1, 7):
            _, target, _, numbers = find_row(tables, slider, position)
            step = 1e-5
            for loss in ("crossentropy", "mse"):
                ends = []
                for sign in (1, -1):
                    at = float(own.positions[position]) + sign * step
                    z = tables.logits.astype(np.float64)
                    if own.kind == "logit":
                        z[slider] = at
                    else:
                        z = np.asarray(tables.setting.logits, np.float64) * at
                    ends.append(closed_form(target, z)[loss])
                slope = (ends[0] - ends[1]) / (2 * step)
                assert math.isclose(numbers[f"{loss}_slope"], slope, rel_tol=1e-3, abs_tol=1e-5)


def test_the_data_are_a_position_of_every_slider(comparison):
    tables = make_tables(comparison)
    assert not tables.moved
    for slider, own in enumerate(tables.sliders):
        logits, target, _, _ = find_row(tables, slider, own.at)
        np.testing.assert_array_equal(logits, comparison.logits[2])
        np.testing.assert_array_equal(target, comparison.targets[2])
        assert np.all(np.diff(own.positions) > 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_confidence_reaches_the_clip_inf_and_nan_both_ways(tf, comparison, dtype):
    logits = tf.cast(comparison.logits, dtype)
    comparison = gradmagic.compare_losses([1, 2, 3, 0, 2], logits)
    for sample in range(5):
        tables = make_tables(comparison, sample)
        slider = tables.sliders[len(tables.shown)]
        assert slider.positions[0] == -slider.positions[-1]
        columns = [3 * len(tables.shown) + SCALARS.index(name) for name in SCALARS[7:11]]
        rows = tables.values[slider.start : slider.start + len(slider.positions)]
        clip, clip_slope, hand, hand_slope = rows[:, columns].T
        # to one side the answer is surely wrong
        wrong = rows[:, 3 * len(tables.shown)] > 100
        assert wrong.any()
        np.testing.assert_allclose(clip[wrong], -math.log(1e-7), rtol=1e-4)
        assert np.all(clip_slope[wrong] == 0)
        assert np.isinf(hand[wrong]).any()
        assert np.isnan(hand_slope[wrong]).any()


def test_states_and_stretches_agree(comparison):
    tables = make_tables(comparison)
    seen = set()
    for slider, own in enumerate(tables.sliders):
        for position, value in enumerate(own.positions):
            logits, target, _, numbers = find_row(tables, slider, position)
            state = int(numbers["state"])
            seen.add(state)
            best, true = np.flatnonzero(logits == logits.max()), int(target.argmax())
            if state == RIGHT:
                assert best.tolist() == [true]
            elif state == UNDECIDED:
                assert true in best
                assert len(best) > 1
            else:
                assert true not in best
                stuck = numbers["mse_pull"] < 0.01 * find_peak(4)
                assert state == (STUCK if stuck else WRONG)
            assert any(a <= value <= b for a, b in own.stuck) == (state == STUCK)
            assert any(a <= value <= b for a, b in own.right) == (state == RIGHT)
    assert seen == {RIGHT, WRONG, STUCK, UNDECIDED}


@pytest.mark.parametrize("classes", [2, 4, 10])
def test_the_largest_pull_of_mse(classes):
    p = np.linspace(0, 1, 100_001)
    assert math.isclose(
        find_peak(classes), (math.sqrt(2) * 4 * p * (1 - p) ** 2 / classes).max(), rel_tol=1e-5
    )


def test_moves_add_up(comparison):
    tables = make_tables(comparison)
    logits = comparison.logits[2].numpy()
    tables = move(comparison, move_slider(tables, tables.sliders[0], 1.5))
    tables = move(comparison, move_slider(tables, tables.sliders[4], 2.0))
    logits[0] = 1.5
    np.testing.assert_array_equal(tables.logits, logits * 2)
    assert tables.setting.confidence == 2
    tables = move(comparison, move_slider(tables, tables.sliders[1], -1.0))
    logits = logits * 2
    logits[1] = -1
    np.testing.assert_array_equal(tables.logits, logits)
    assert tables.setting.confidence == 1
    tables = move(comparison, move_slider(tables, tables.sliders[5], 0.1))
    np.testing.assert_allclose(tables.target, [0.025, 0.025, 0.025, 0.925], rtol=1e-6)
    tables = move(comparison, move_slider(tables, tables.sliders[6], 1))
    assert tables.true_class == 1
    np.testing.assert_allclose(tables.target, [0.025, 0.925, 0.025, 0.025], rtol=1e-6)
    assert tables.moved


def test_confidence_0_can_be_left_again(comparison):
    tables = make_tables(comparison)
    tables = move(comparison, move_slider(tables, tables.sliders[4], 0.0))
    assert not tables.logits.any()
    tables = move(comparison, move_slider(tables, tables.sliders[4], 1.0))
    assert not tables.moved


def test_the_data_s_own_class_is_no_move(tf):
    comparison = gradmagic.compare_losses([[0.7, 0.3]], [[1.0, 2.0]])
    tables = make_tables(comparison, 0)
    back = move(comparison, move_slider(tables, tables.sliders[-1], 0))
    assert not back.moved
    np.testing.assert_array_equal(back.target, comparison.targets[0])


def test_margins_put_every_sample_on_the_curve_of_crossentropy(comparison):
    tables = make_tables(comparison)
    for sample, margin in enumerate(tables.margins):
        z = tables.logits.astype(np.float64)
        z[tables.true_class] = margin
        expected = float(comparison.per_sample_crossentropy[sample])
        assert math.isclose(
            closed_form(tables.target, z)["crossentropy"], expected, rel_tol=1e-4, abs_tol=1e-5
        )


def test_of_many_classes_some_get_a_slider_and_all_count(tf):
    tf.random.set_seed(1)
    comparison = gradmagic.compare_losses([7, 900], tf.random.normal([2, 1000]) * 3)
    tables = make_tables(comparison, 1)
    assert len(tables.shown) == MOST_CLASSES
    assert 900 in tables.shown
    expected = closed_form(comparison.targets[1], comparison.logits[1])
    assert math.isclose(tables.scalars["crossentropy"], expected["crossentropy"], rel_tol=1e-5)
    for number in tables.shown:
        assert math.isclose(
            tables.find_class(number).probability, expected["p"][number], rel_tol=1e-4
        )


def test_a_masked_class_gets_no_slider(tf):
    comparison = gradmagic.compare_losses([1], [[-np.inf, 0.0, 1.0]])
    assert choose_classes(comparison, 0) == (1, 2)
    tables = make_tables(comparison, 0)
    assert np.isfinite(tables.scalars["crossentropy"])
    assert max(abs(slider.positions).max() for slider in tables.sliders[:2]) == 12


@pytest.mark.parametrize("logits", [[0.0, 0.0, 0.0], [1e6, -1e6, 0.0], [28.0, -28.0, 3.0]])
def test_sliders_hold_every_logit(logits):
    tables = make_tables(gradmagic.compare_losses([1], [logits], from_logits=True), 0)
    for slider, logit in zip(tables.sliders[:3], logits, strict=True):
        assert slider.positions[slider.at] == np.float32(logit)
        assert slider.positions[0] <= -12
        assert slider.positions[-1] >= max(logit, 12)


def test_large_batches_list_samples_from_the_smallest_loss_to_the_largest(tf):
    tf.random.set_seed(1)
    numbers = tf.random.uniform([5000], 0, 10, tf.int32)
    comparison = gradmagic.compare_losses(numbers, tf.random.normal([5000, 10]))
    listed = list_samples(comparison)
    losses = comparison.per_sample_crossentropy.numpy()
    assert len(set(listed)) == MOST_LISTED
    assert {int(losses.argmin()), int(losses.argmax())} <= set(listed)
    panel = make_panel(comparison, Origin("y", "z"))
    assert len(panel.hand.tables.margins) == MOST_LISTED


def test_the_first_sample_in_hand_is_wrong_where_one_is(comparison):
    assert choose_sample(comparison, list_samples(comparison)) == 2
    right = gradmagic.compare_losses([0, 1], [[5.0, 0.0], [0.0, 50.0]])
    assert choose_sample(right, (0, 1)) in (0, 1)


def test_the_lesson_of_stability():
    ten, fifty, hundred = compute_examples()
    for way in ten:
        assert math.isclose(way.value, 10.00005, rel_tol=1e-6)
        assert math.isclose(way.gradient, -0.99995, rel_tol=1e-5)
    assert math.isclose(fifty.probabilities.value, 16.11810, rel_tol=1e-6)
    assert fifty.probabilities.gradient == 0
    assert fifty.hand.value == 50
    assert math.isclose(fifty.hand.gradient, -1, rel_tol=1e-6)
    assert (fifty.logits.value, fifty.logits.gradient) == (50, -1)
    assert hundred.probabilities.gradient == 0
    assert hundred.hand.value == math.inf
    assert math.isnan(hundred.hand.gradient)
    assert (hundred.logits.value, hundred.logits.gradient) == (100, -1)
