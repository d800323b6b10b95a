"""`smolvla dataset rename-cameras`: cameras named by their views: top, wrist, side.

smolvla dataset rename-cameras ROOT                prints a map, proposed from names and pictures; changes nothing
smolvla dataset rename-cameras ROOT --yes          takes it as proposed
smolvla dataset rename-cameras ROOT --map FILE     takes the map of this file: what was printed, corrected
smolvla dataset rename-cameras ROOT --undo         gives the cameras the names back under which they were recorded
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subcommands.add_parser(
        "rename-cameras",
        help="cameras named top, wrist, side",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help="the folder that holds meta/info.json")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--yes", action="store_true", help="rename as proposed")
    what.add_argument("--map", type=Path, metavar="FILE", help="YAML, `laptop: top` a line")
    what.add_argument("--undo", action="store_true", help="give the first names back")
    parser.add_argument("--output", type=Path, help="a new folder; in place by default")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    import yaml

    from smolvla_ros.data.camera_names import PREFIX, moving_share, names_of, propose, unnamed
    from smolvla_ros.data.camera_renaming import original_names, rename_cameras
    from smolvla_ros.data.copying import require_joinable
    from smolvla_ros.data.dataset import open_dataset
    from smolvla_ros.data.errors import mismatch

    dataset = open_dataset(arguments.root)
    require_joinable([(dataset, ())])
    cameras = dataset.info.cameras
    if arguments.undo:
        names = original_names(dataset)
    elif arguments.map:
        try:
            raw = yaml.safe_load(arguments.map.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())
            remedy = "save what is proposed and correct it"
            raise mismatch(arguments.map, "a YAML map of cameras", said, remedy) from None
        names = names_of(raw, cameras, arguments.map)
    else:
        found = propose(cameras, {camera: moving_share(dataset, camera) for camera in unnamed(cameras)})
        for each in found:
            print(f"{each.camera.removeprefix(PREFIX)}: {each.name}  # {each.reason}")
        names = {each.camera: PREFIX + each.name for each in found}
        if not arguments.yes:
            print("# nothing changed: --yes takes this map, --map FILE another")
            return 0
    changed = sum(old != new for old, new in names.items())
    if not changed:
        print(f"# {arguments.root}: the cameras have these names")
        return 0
    rename_cameras(dataset, names, arguments.output)
    print(f"# {arguments.output or arguments.root}: {changed} cameras renamed; --undo gives the names back")
    return 0
