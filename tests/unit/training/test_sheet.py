import numpy as np
from PIL import Image

from suresam.training.sheet import ANSWER, TRUTH, Tile, draw_sheet, save_sheet


def tile(mask: np.ndarray | None, colour, shape=(50, 100)) -> Tile:
    return Tile(np.full((*shape, 3), 100, np.uint8), mask, colour, (10, 25), "words")


def test_masks_and_clicks_are_drawn_over_the_picture():
    mask = np.zeros((50, 100), np.bool_)
    mask[:, 50:] = True
    sheet = draw_sheet("title", [[tile(mask, TRUTH), tile(None, ANSWER)]], side=100)
    pixels = np.asarray(sheet)
    tinted = np.rint(0.55 * 100 + 0.45 * np.array(TRUTH)).astype(np.uint8)
    assert (pixels == tinted).all(axis=2).sum() > 1500  # half of 100 x 50, less the outline
    assert (pixels == TRUTH).all(axis=2).sum() > 100  # the outline
    assert (pixels == (230, 0, 0)).all(axis=2).sum() > 10  # two clicks


def test_cells_fill_rows_from_the_left():
    picture = np.full((100, 100, 3), (1, 2, 3), np.uint8)
    cells = [[Tile(picture, None, TRUTH, (0, 0), "")] for _ in range(5)]
    wide, narrow = draw_sheet("", cells, columns=4), draw_sheet("", cells[:1], columns=4)
    assert wide.width > 3.5 * narrow.width
    found = (np.asarray(wide) == (1, 2, 3)).all(axis=2)
    lower = found[found.shape[0] // 2 + 30 :]
    assert lower[:, :100].any()
    assert not lower[:, narrow.width :].any()


def test_a_tall_picture_keeps_its_shape():
    sheet = draw_sheet("", [[tile(None, TRUTH, shape=(100, 50))]], side=80)
    found = (np.asarray(sheet) == 100).all(axis=2)
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    assert (len(rows), len(columns)) == (80, 40)


def test_a_sheet_is_a_png_and_leaves_nothing_else_behind(tmp_path):
    save_sheet(draw_sheet("", [[tile(None, TRUTH)]]), tmp_path / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
