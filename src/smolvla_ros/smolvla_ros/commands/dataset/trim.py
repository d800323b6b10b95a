"""`smolvla dataset trim`: episodes without still starts and ends, or without given seconds.

Still is what moves no joint by 2 % of its range in the dataset; a margin of it stays. Videos are cut at exactly the
frames named: copied where these are key frames, encoded again where they are not. Without times the nearest key frames
outside are taken, so that nothing is encoded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from smolvla_ros.commands.dataset.place import add_place, said_of


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser("trim", help="cut still starts and ends, or given seconds", description=__doc__)
    add_place(parser)
    parser.add_argument("--episodes", help="which: 0-4,7; all by default")
    parser.add_argument("--start", type=float, metavar="SECONDS", help="cut this much off the start")
    parser.add_argument("--end", type=float, metavar="SECONDS", help="cut this much off the end")
    parser.add_argument("--margin", type=float, default=0.2, metavar="SECONDS", help="of what is still that stays")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    from tempfile import TemporaryDirectory

    from smolvla_ros.data.copying import require_joinable
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.episode_choice import episodes_named
    from smolvla_ros.data.errors import mismatch
    from smolvla_ros.data.new_dataset import fill_dataset, new_or_in_place
    from smolvla_ros.data.trimming import still_spans, timed_spans, trimmed_parts

    dataset = open_dataset(arguments.root)
    for name in ("start", "end", "margin"):
        if (getattr(arguments, name) or 0) < 0:
            raise mismatch(f"--{name}", "0 or more seconds", getattr(arguments, name), "give how much to cut")
    chosen = list(range(len(dataset.episodes)))
    if arguments.episodes:
        chosen = episodes_named(arguments.episodes, len(dataset.episodes))
    require_joinable([(dataset, chosen)])
    if arguments.start is None and arguments.end is None:
        spans = still_spans(dataset, chosen, arguments.margin)
    else:
        spans = timed_spans(dataset, chosen, arguments.start or 0.0, arguments.end or 0.0)
    fps, cut = dataset.info.fps, 0
    for place, span in spans.items():
        first, last = span.first, dataset.episodes[place].length - span.end
        cut += first + last
        if first or last:
            print(f"episode {place}: {first / fps:.2f} s off the start, {last / fps:.2f} s off the end")
    if not cut:
        print(f"{arguments.root}: nothing to cut")
        return 0
    with new_or_in_place(arguments.root, arguments.output) as folder, TemporaryDirectory(dir=folder.parent) as work:
        parts = trimmed_parts(dataset, spans, Path(work))
        info = fill_dataset(folder, dataset.info, parts, [dataset.root], dataset.info.version)
    print(said_of(arguments, f"{cut} frames cut, {info.total_frames} kept"))
    return 0
