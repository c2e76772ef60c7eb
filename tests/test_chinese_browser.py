"""The interface in Chinese, in real JupyterLab: what Python writes and what the scripts write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from front_end import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from front_end import Server

pytestmark = pytest.mark.browser

SET_UP = """
%load_ext gradmagic
%config GradTapeMagics.language = "zh_CN"
import tensorflow as tf
tf.random.set_seed(1)
特征, 权重, 偏置 = tf.random.normal([2, 4]), tf.random.normal([4, 3]), tf.zeros([3])
标签 = tf.one_hot([2, 0], 3)
"""
REPORT = """%%gradtape 权重 偏置
分数 = 特征 @ 权重 + 偏置
损失 = tf.reduce_mean(tf.losses.categorical_crossentropy(标签, 分数, from_logits=True))
"""
LOSSES = "%gradlosses 标签 分数 --inline"


@pytest.fixture(scope="module")
def opened(server: Server, chromium: Any) -> Iterator[Page]:
    name = "zh.ipynb"
    server.write(name, [SET_UP, REPORT, LOSSES])
    page = Page(chromium, server.address("lab", name))
    page.run_all()
    page.page.wait_for_selector(".gm-live .gm-tabs", timeout=60_000)
    yield page
    page.page.close()


def test_the_tabs_are_chinese(opened: Page) -> None:
    report = opened.page.locator(".gm-live").first
    assert report.get_by_role("tab").all_inner_texts() == ["梯度与损失", "图", "代码"]
    assert report.locator("[lang]").first.get_attribute("lang") == "zh-Hans"


def test_what_the_graphs_script_writes_is_chinese(opened: Page) -> None:
    report = opened.page.locator(".gm-live").first
    report.get_by_role("tab", name="图").click()
    explorer = report.locator(".gm-explorer").first
    explorer.wait_for(state="visible", timeout=30_000)
    box = explorer.get_by_placeholder("搜索")
    box.fill("第 3 行")
    count = explorer.locator(".gm-count")
    count.filter(has_text="找到").wait_for(timeout=5000)
    found = count.inner_text()
    assert found != "找到 0 个"
    for same in ("3 行", "line 3"):
        box.fill("")
        box.fill(same)
        assert count.inner_text() == found
    box.fill("")
    explorer.get_by_role("button", name="下一步").click()
    explorer.get_by_text("步，前向").first.wait_for(timeout=5000)


def test_what_the_losses_script_writes_is_chinese(opened: Page) -> None:
    panel = opened.page.locator(".gm-losses").last
    panel.scroll_into_view_if_needed()
    axis = panel.locator("svg text", has_text="类别")
    axis.first.wait_for(timeout=15_000)
    assert "的 logit" in axis.first.text_content()


def test_no_script_failed(opened: Page) -> None:
    assert opened.errors == []
