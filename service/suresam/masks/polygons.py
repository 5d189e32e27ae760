"""The outlines of a mask, exactly along the edges of its pixels.

`cv2.findContours` joins the centres of border pixels: a single pixel has no area there, and filling
the outline again grows or shrinks the mask by half a pixel all round. These outlines run through
pixel corners instead, so that filling them by pixel centres gives back the very mask.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.domain import Ring

Polygon = tuple[Ring, ...]
"""An exterior ring and then the rings of its holes."""


def encode_polygons(mask: NDArray[np.bool_]) -> tuple[Polygon, ...]:
    """Exterior and holes of every region, in pixels; pixel (x, y) covers [x, x+1) x [y, y+1).

    Only corners where the outline turns are named. Seen on the screen exteriors run clockwise
    and holes counter-clockwise, so the even-odd and the non-zero rule fill them alike. Pixels
    that touch only diagonally become separate polygons which share that corner: one ring through
    both would cross itself.

    Args:
        mask: (H, W) bool.

    Returns:
        Polygons in the order of their topmost leftmost corner; empty for an empty mask.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    padded = np.pad(mask[top : top + height, left : left + width], 1)
    above, below = padded[:-1], padded[1:]
    above_left, above_right = above[:, :-1], above[:, 1:]
    below_left, below_right = below[:, :-1], below[:, 1:]
    is_left_edge, is_upper_edge = above_left ^ below_left, above_left ^ above_right
    is_right_edge, is_lower_edge = above_right ^ below_right, below_left ^ below_right
    # The outline turns where it comes in along a row and leaves along a column: once at the corner
    # of one or three pixels, twice where two pixels touch diagonally.
    is_turn = (is_left_edge ^ is_right_edge) | (is_left_edge & is_upper_edge & is_lower_edge)
    rows, columns = np.nonzero(is_turn)
    is_crossing = is_left_edge[rows, columns] & is_right_edge[rows, columns]
    times = 1 + is_crossing.astype(np.intp)
    is_rising = np.repeat(is_crossing & above_right[rows, columns], times)
    rows, columns = np.repeat(rows, times), np.repeat(columns, times)

    rings = _link(rows, columns, is_rising)
    if not rings:
        return ()
    starts = np.array([ring[0] for ring in rings])
    is_exterior = padded[rows[starts] + 1, columns[starts] + 1]
    xs, ys = (columns + left).astype(float).tolist(), (rows + top).astype(float).tolist()
    corners = list(zip(xs, ys, strict=True))
    outlines: list[Ring] = [tuple(corners[i] for i in ring) for ring in rings]
    if is_exterior.all():
        return tuple((outline,) for outline in outlines)

    _, labels = cv2.connectedComponents(padded.view(np.uint8), connectivity=4)
    # Below an exterior's first corner, and above a hole's, lies a pixel of their region.
    regions = labels[rows[starts] + is_exterior, columns[starts] + 1].tolist()
    polygons: dict[int, list[Ring]] = {
        region: [outline]
        for region, outline, exterior in zip(regions, outlines, is_exterior, strict=True)
        if exterior
    }
    for region, outline, exterior in zip(regions, outlines, is_exterior, strict=True):
        if not exterior:
            polygons[region].append(outline[::-1])
    return tuple(tuple(polygon) for polygon in polygons.values())


def _link(
    rows: NDArray[np.intp], columns: NDArray[np.intp], is_rising: NDArray[np.bool_]
) -> list[list[int]]:
    """Join turns, given row by row, into closed rings; each starts at its topmost leftmost turn.

    On every row the turns pair up from left to right, and on every column from top to bottom.
    A crossing stands twice in a row: its first entry ends the edge from the left, its second begins
    the edge to the right. Where the pixels touch like a backslash the first also ends the edge
    from above; where they touch like a slash (`is_rising`) the second does.
    """
    num_turns = len(rows)
    along_row = np.arange(num_turns) ^ 1
    place = np.arange(num_turns)
    first_rising = np.flatnonzero(is_rising)[::2]
    place[first_rising], place[first_rising + 1] = first_rising + 1, first_rising
    by_column = place[np.argsort(columns[place], kind="stable")]
    along_column = np.empty(num_turns, np.intp)
    along_column[by_column[::2]], along_column[by_column[1::2]] = by_column[1::2], by_column[::2]

    next_on_row, next_on_column = along_row.tolist(), along_column.tolist()
    is_open = [True] * num_turns
    rings: list[list[int]] = []
    for start in range(num_turns):
        if not is_open[start]:
            continue
        ring: list[int] = []
        turn = start
        while is_open[turn]:
            end = next_on_row[turn]
            ring += (turn, end)
            is_open[turn] = is_open[end] = False
            turn = next_on_column[end]
        rings.append(ring)
    return rings
