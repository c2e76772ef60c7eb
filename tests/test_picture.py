"""Groups of a drawn graph that open in place, looked at in a browser: random graphs, nested."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_graph_drawing import Builder

import gradmagic
from gradmagic.core.records import Graph, Group
from gradmagic.render.graph import draw_plan, plan_graph
from gradmagic.widgets.bundle import join_modules

PACKAGE = Path(gradmagic.__file__).parent
SHEETS = ("render/report.css", "render/graph.css", "widgets/explorer/picture.css")
STYLE = "".join((PACKAGE / sheet).read_text() for sheet in SHEETS)
FIRST_GROUP = 1000  # the number of the node that stands for group 0


def make_document(seed, depth=3):
    """Random levels in each other, as the explorer's document has them."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    document = {"levels": {}, "groups": {}, "nodes": {}, "iterations": {}, "words": {}}
    groups = []

    def add_level(parent, left):
        b = Builder()
        opened = {}
        made = [b.add("port" if parent is not None else "source", name, shape=(2, 3))
                for name in "xw"[: chance.choice([1, 2])]]  # fmt: skip
        for step in range(chance.randint(3, 6)):
            taken = chance.sample(made, min(len(made), chance.choice([1, 1, 2, 3])))
            kind = "group" if left and chance.random() < 0.5 else "op"
            label = f"{kind} {step}" * chance.choice([1, 1, 3])
            node = b.add(kind, label, *taken, shape=(2, 3), op="Op", count=3)
            if kind == "group":
                group = Group(len(groups), parent, chance.choice(["layer", "repeat"]), label)
                groups.append(group)
                document["groups"][str(group.id)] = {"parent": parent, "kind": group.kind}
                opened[node[0]] = group.id
                add_level(group.id, left - 1)
            made.append(node)
        b.add("target" if parent is None else "port", "out", made[-1], value=np.ones(()))
        numbers = {}
        for node in b.nodes:
            inside = node.id + 100 * (0 if parent is None else parent + 1)
            port = -1 - node.id if node.kind == "port" else inside
            numbers[node.id] = FIRST_GROUP + opened[node.id] if node.id in opened else port
            if numbers[node.id] == inside:
                document["nodes"][str(inside)] = {"label": node.label, "group": parent}
        level = Graph(
            tuple(replace(node, id=numbers[node.id]) for node in b.nodes),
            tuple(
                replace(e, producer=numbers[e.producer], consumer=numbers[e.consumer])
                for e in b.edges
            ),
            0,
        )
        plan = plan_graph(level, {FIRST_GROUP + one: groups[one] for one in opened.values()})
        size = {"width": plan.layout.width, "height": plan.layout.height}
        document["levels"]["" if parent is None else str(parent)] = {
            "svg": draw_plan(plan, live=True), **size,
        }  # fmt: skip

    add_level(None, depth)
    return document


LOOK = """async ([doc, groups]) => {
  host.replaceChildren();
  const picture = makePicture(doc, host, { still: true });
  await picture.openAll(groups);
  const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const levels = [...host.querySelectorAll(".gm-level")].map((level) => {
    const own = (what) => [...level.querySelectorAll(what)].filter(
      (e) => e.closest(".gm-level") === level && e.getClientRects().length && box(e)[2] > box(e)[0]);
    const nodes = [...own("[data-node]"), ...own(".gm-frame")].map((e) => [
      Number(e.dataset.node ?? e.dataset.frameNode), box(e.querySelector("rect"))]);
    return {
      nodes,
      labels: own(".gm-label").map(box),
      signs: own("[data-act]").map(box),
      lines: own("[data-edge]").map((e) => {
        const points = [];
        for (const path of e.querySelectorAll(".gm-v, .gm-d")) {
          const place = path.getScreenCTM();
          const length = path.getTotalLength();
          for (let at = 0; at < length; at += 3) {
            const p = path.getPointAtLength(at).matrixTransform(place);
            points.push([p.x, p.y]);
          }
        }
        const heads = [...e.querySelectorAll(".gm-vh, .gm-dh")].map((p) => box(p));
        return { flow: e.dataset.flow, from: Number(e.dataset.from), to: Number(e.dataset.to), points, heads };
      }),
    };
  });
  const whole = box(picture.element);
  return { levels, whole, opened: picture.opened(), size: [picture.width, picture.height] };
}"""


@pytest.fixture
def page(chromium):
    page = chromium.new_page(viewport={"width": 800, "height": 600})
    script = join_modules(PACKAGE / "widgets/explorer/picture.js")
    page.set_content(
        f'<meta charset="utf-8"><style>{STYLE}</style><div class="gm"><div id="host"></div></div>'
        f'<script type="module">{script}\nObject.assign(window, {{ makePicture, host: '
        "document.getElementById('host') });</script>"
    )
    page.wait_for_function("typeof window.makePicture === 'function'")
    yield page
    page.close()


def is_inside(point, box, slack=0.0):
    (x, y), (left, top, right, bottom) = point, box
    return left + slack < x < right - slack and top + slack < y < bottom - slack


def overlap(one, other, slack=1.5):
    return (
        one[0] + slack < other[2]
        and other[0] + slack < one[2]
        and one[1] + slack < other[3]
        and other[1] + slack < one[3]
    )


def touches(boxes, box, reach=6):
    """Whether one of ``boxes`` lies at a box's border."""
    left, top, right, bottom = box
    grown = left - reach, top - reach, right + reach, bottom + reach
    return any(overlap(one, grown, 0) and not overlap(one, box, 0.5) for one in boxes)


@pytest.mark.browser
@pytest.mark.parametrize("seed", range(3))
def test_what_opens_covers_nothing_and_its_lines_end_at_it(page, seed):
    document = make_document(seed)
    groups = list(document["groups"])
    choices = [groups[:1], groups[1::2], groups]
    for chosen in choices:
        seen = page.evaluate(LOOK, [document, chosen])
        assert set(map(str, seen["opened"])) >= set(chosen)
        assert len(seen["levels"]) == 1 + len(seen["opened"])
        for level in seen["levels"]:
            boxes = dict(level["nodes"])
            things = [*boxes.values(), *level["labels"]]
            for place, one in enumerate(things):
                assert not any(overlap(one, other) for other in things[place + 1 :])
                slack = 6  # px by which a label's font may be wider than it was measured
                assert one[0] >= seen["whole"][0] - slack
                assert one[2] <= seen["whole"][2] + slack
                assert one[3] <= seen["whole"][3] + 1
            for line in level["lines"]:
                for box in boxes.values():
                    assert not any(is_inside(point, box, 1) for point in line["points"])
                assert touches(line["heads"], boxes[line["to"]])
                # lines of one tensor begin as one
                begun = [p for one in level["lines"] if one["flow"] == line["flow"]
                         for p in one["points"]]  # fmt: skip
                _left, _top, _right, bottom = boxes[line["from"]]
                assert min(y for _x, y in begun) == pytest.approx(bottom + 4, abs=8)


@pytest.mark.browser
def test_a_click_opens_and_closes_and_tells_of_it(page):
    document = make_document(1)
    told = page.evaluate(
        """(doc) => {
          window.told = [];
          window.asked = [];
          const level = doc.levels["0"];
          delete doc.levels["0"];
          const ask = async (...what) => { asked.push(what); doc.levels["0"] = level; };
          window.picture = makePicture(doc, host, { still: true, ask, changed: (c) => told.push(c) });
          return told;
        }""",
        document,
    )
    assert told[0]["group"] is None
    sign = '[data-group="0"] [data-act="open"]'
    page.click(sign)
    page.wait_for_function("picture.isOpen(0)")
    assert page.evaluate("asked") == [["level", 0]]
    change = page.evaluate("told.at(-1)")
    assert change["group"] == 0
    assert change["before"]["y"] == change["after"]["y"]
    inner = [int(n) for n, node in document["nodes"].items() if node["group"] == 0]
    shown = {node["id"] for node in page.evaluate("picture.visibleNodes().map(({id}) => ({id}))")}
    assert shown & set(inner)
    page.click('[data-frame="0"] > .gm-signs > [data-act="close"]')
    assert not page.evaluate("picture.isOpen(0)")
    assert page.evaluate(f"picture.holder({inner[0]})") == 0
    assert page.evaluate("[picture.width, picture.height]") == [told[0]["width"], told[0]["height"]]
    page.wait_for_selector(sign)


@pytest.mark.browser
def test_what_is_closed_again_is_as_it_was(page):
    document = make_document(2)
    same = """async (doc) => {
      host.replaceChildren();
      const picture = makePicture(doc, host, { still: true });
      const before = picture.element.outerHTML;
      await picture.openAll();
      picture.closeAll();
      const attributes = / (transform="translate\\(0 0\\)"|data-was="[^"]*")/g;
      return [before, picture.element.outerHTML.replace(attributes, "")];
    }"""
    before, after = page.evaluate(same, document)
    assert before == after


@pytest.mark.browser
def test_what_a_closed_group_hides_is_revealed(page):
    document = make_document(3)
    deepest = max(
        (int(number) for number, node in document["nodes"].items() if node["group"] is not None),
        key=lambda number: _count_parents(document, document["nodes"][str(number)]["group"]),
    )
    found = page.evaluate(
        """async ([doc, id]) => {
          host.replaceChildren();
          const picture = makePicture(doc, host, { still: true });
          const hidden = picture.findNode(id);
          const element = await picture.reveal(id);
          const place = picture.placeOf(element);
          const box = element.querySelector("rect").getBoundingClientRect();
          const whole = picture.element.getBoundingClientRect();
          return {
            hidden: hidden.dataset.group, node: element.dataset.node, holder: picture.holder(id),
            off: [box.left - whole.left - place.x, box.top - whole.top - place.y],
          };
        }""",
        [document, deepest],
    )
    assert found["node"] == str(deepest)
    assert found["hidden"] is not None
    assert found["holder"] is None
    assert found["off"] == pytest.approx([0, 0], abs=1.5)


@pytest.mark.browser
def test_other_numbers_are_drawn_with_the_same_groups_open(page):
    document = make_document(1)
    opened = page.evaluate(
        """async (doc) => {
          host.replaceChildren();
          const { 0: level, ...others } = doc.levels;
          const asked = [];
          const ask = async (...what) => {
            asked.push(what);
            picture.doc.levels[0] = { ...level, svg: level.svg.replaceAll(">op ", ">new ") };
          };
          const picture = makePicture(doc, host, { still: true, ask });
          await picture.openAll();
          const before = picture.opened();
          doc.levels = others;
          const drawn = picture.update();
          const between = host.textContent;
          await drawn;
          return { before, between, after: picture.opened(), asked, text: host.textContent };
        }""",
        document,
    )
    assert opened["before"] == opened["after"]
    assert "new" not in opened["between"]  # what was drawn stays until all of it is there
    assert opened["asked"] == [["level", 0]]
    assert "new " in opened["text"]


@pytest.mark.browser
def test_an_iteration_takes_the_place_of_another(page):
    document = make_document(4)
    svg = document["levels"]["0"]["svg"]
    nodes = [int(n) for n in re.findall(r'data-node="(-?\d+)"', svg)]
    flows = re.findall(r'class="gm-label" data-flow="(\d+)"', svg)
    ops = [n for n in nodes if 0 <= n < FIRST_GROUP]
    later = [n + 10_000 if n in ops else n for n in nodes]
    turn = {"nodes": later, "labels": dict.fromkeys(flows, "<text>second</text>"), "changed": {}}
    first = {"nodes": nodes, "labels": {}, "changed": {}}
    document["iterations"]["0"] = {"count": 3, "turns": [first, turn]}
    document["groups"]["0"]["iterations"] = 3
    for number in ops:
        document["nodes"][str(number + 10_000)] = document["nodes"][str(number)]
    page.evaluate(
        """(doc) => {
          host.replaceChildren();
          window.asked = [];
          const ask = async (...what) => asked.push(what);
          window.picture = makePicture(doc, host, { still: true, ask });
          return picture.open(0);
        }""",
        document,
    )
    said = "document.querySelector('.gm-iteration').textContent"
    frame = '[data-frame="0"] > .gm-signs > '
    assert page.evaluate(said) == "1 / 3"
    assert page.evaluate(f"picture.findNode({ops[0]}) !== null")
    page.click(f'{frame}[data-act="next"]')
    page.wait_for_function("picture.iteration(0) === 1")
    assert page.evaluate(said) == "2 / 3"
    shown = page.evaluate("picture.visibleNodes().map(({ id }) => id)")
    assert set(later) & set(shown) >= {n + 10_000 for n in ops}
    assert not set(ops) & set(shown)
    assert page.evaluate("host.textContent.split('second').length - 1") == len(flows)
    page.click(f'{frame}[data-act="next"]')  # nobody has it
    page.wait_for_function("asked.length === 1")
    assert page.evaluate("[asked[0], picture.iteration(0)]") == [["iteration", 0, 2], 1]
    page.evaluate(f"picture.reveal({ops[0]})")
    assert page.evaluate(said) == "1 / 3"
    # one that looks as the second, which has a drawing of its own
    own = re.sub(r'data-node="(\d+)"', r'data-own="yes" data-node="\1"', svg)
    page.evaluate(
        """async ([own, like]) => {
          picture.doc.iterations["0"].turns[1] = { level: { svg: own } };
          picture.doc.iterations["0"].turns[2] = like;
          await picture.setIteration(0, 2);
        }""",
        [own, {"like": 1, **turn}],
    )
    assert page.evaluate(said) == "3 / 3"
    assert page.evaluate("host.textContent.split('second').length - 1") == len(flows)
    assert page.locator("[data-level='0'] [data-own]").count() >= 1


def _count_parents(document, group):
    parent = document["groups"][str(group)]["parent"]
    return 0 if parent is None else 1 + _count_parents(document, parent)
