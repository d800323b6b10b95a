from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest
from smolvla_ros.cli import main
from smolvla_ros.data import view_page
from smolvla_ros.data.dataset import open_dataset


class Elements(HTMLParser):
    """Tags with their attributes; every one that is opened must be closed."""

    VOID = ("meta", "img", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def page_of(path: Path) -> Elements:
    elements = Elements(path.read_text(encoding="utf-8"))
    assert elements.open == []
    return elements


def test_a_page_holds_videos_and_curves_of_each_episode(
    dataset_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    assert main(["dataset", "view", str(dataset_root), "--episodes", "0,2", "--output", str(path)]) == 0
    assert "page.html: 2 episodes" in capsys.readouterr().out
    page = page_of(path)
    videos = page.of("video")
    assert len(videos) == 4
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(base64.b64decode(str(videos[-1]["src"]).partition(",")[2]))
    with av.open(str(clip)) as container:
        assert len(list(container.decode(video=0))) == 25
    assert len(page.of("svg")) == 2 * (6 + 6 + 1)
    points = str(page.of("polyline")[0]["points"]).split()
    assert len(points) == 40
    x, y = zip(*(map(float, point.split(",")) for point in points), strict=True)
    assert (min(x), max(x)) == (6, 354)
    assert (min(y), max(y)) >= (0, 6)
    assert "http" not in re.sub(r"data:[^\"]*", "", path.read_text(encoding="utf-8"))


def test_linked_videos_are_those_of_the_dataset_from_where_the_episode_begins(
    dataset_root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pages" / "page.html"
    assert main(["dataset", "view", str(dataset_root), "--link", "--output", str(path)]) == 0
    last = page_of(path).of("video")[-1]
    video = open_dataset(dataset_root).episodes[2].videos["observation.images.wrist"]
    assert (path.parent / str(last["src"])).resolve() == video.path.resolve()
    assert float(str(last["data-start"])) == pytest.approx(52 / 30)


def test_more_than_a_browser_opens_is_refused_with_what_to_do(
    dataset_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(view_page, "MOST_EMBEDDED_BYTES", 1000)
    path = tmp_path / "page.html"
    assert main(["dataset", "view", str(dataset_root), "--output", str(path)]) == 2
    assert "choose some with --episodes, or link the videos with --link" in capsys.readouterr().err
    assert not path.exists()
