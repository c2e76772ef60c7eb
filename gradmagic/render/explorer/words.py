"""The words of the live graph, in the user's language; ``{places}`` are filled by the script."""

from __future__ import annotations

from gradmagic.core.i18n import _
from gradmagic.core.rules import NOTATION
from gradmagic.render.explorer.details import list_kinds


def list_words() -> dict[str, str]:
    """What the explorer's script writes, by the keys that it uses."""
    return {
        **{f"kind_{kind}": text for kind, text in list_kinds().items()},
        "stage": _("Computation graph"),
        "tools": _("Tools of the graph"),
        "panel": _("Details"),
        "scrolls": _("Scrolls sideways"),
        "code": _("Code"),
        "notation": _(NOTATION),
        # finding
        "search": _("Search"),
        "search_long": _("Search ops, names and lines"),
        "found_list": _("Found nodes"),
        "found": _("{count} found"),
        "found_at": _("{at} of {count}"),
        "none_found": _("nothing found"),
        # nodes, groups and lines
        "line": _("line {line}"),
        "ops": _("{count} ops"),
        "selected": _("selected"),
        "pick_line": _("Show what this line ran"),
        "on_line": _("Line {line} ran {count} of the ops and tensors here:"),
        "none_on_line": _("Nothing here was run by line {line}."),
        "close": _("Close"),
        "close_group": _("Close this group"),
        "open_all": _("Open all"),
        "close_all": _("Close all"),
        "previous_iteration": _("Previous time"),
        "next_iteration": _("Next time"),
        # colours
        "colour_by": _("Colour by"),
        "no_colour": _("nothing"),
        # the picture
        "smaller": _("Smaller"),
        "larger": _("Larger"),
        "fit": _("Fit the graph in"),
        "full_size": _("Full size"),
        "whole_window": _("Whole window"),
        "leave_window": _("Back to the page"),
        # stepping
        "steps": _("Step through"),
        "steps_count": _("{count} steps"),
        "step_at": _("Step {first} of {count}, {pass}"),
        "step_span": _("Steps {first} to {last} of {count}, {pass}"),
        "step_group": _("{name}: {count} steps inside"),
        "step_inside": _("Walk through them"),
        "step_name": _("step {number}"),
        "step_slider": _("Step"),
        "forward": _("forward"),
        "backward": _("backward"),
        "play": _("Play"),
        "pause": _("Pause"),
        "first_step": _("First step"),
        "previous_step": _("Previous step"),
        "next_step": _("Next step"),
        "last_step": _("Last step"),
        "leave_steps": _("Leave the steps"),
        "speed": _("Speed"),
        "copy_link": _("Copy link"),
        "copy_link_long": _("Copy a link to this step, for a text cell"),
        "copied": _("Copied"),
        # trying
        "what_if": _("What if"),
        "what_if_entry": _("{entry} were {value}?"),
        "restore": _("Back to what ran"),
        "no_kernel": _("To measure slopes or to try other numbers, run the cell again."),
        "no_answer": _("The kernel does not answer: it is busy, or was restarted."),
        "asking": _("Asking the kernel …"),
        "no_level": _("What is inside was too large for this file: run the cell again."),
        "no_time": _("This file has only the first times of the loop: run the cell again for all."),
        "no_detail": _("The rest did not fit into this file: run the cell again."),
        # keys
        "help": _("Keys and mouse"),
        "help_mouse": _("Drag to move the graph, turn the wheel with Ctrl to zoom, click a node."),
        "key_move": _("to the next node"),
        "key_details": _("its details"),
        "key_toggle": _("open or close a group"),
        "key_steps": _("next and previous step"),
        "key_search": _("search"),
        "key_zoom": _("zoom: in, out, fit, full size"),
        "key_pan": _("move the graph"),
        "key_all": _("open and close all groups"),
        "key_times": _("previous and next time of a loop"),
        "key_window": _("whole window and back"),
        "key_leave": _("leave: the search, the steps, the details"),
    }
