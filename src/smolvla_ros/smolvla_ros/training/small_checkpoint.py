r"""The small checkpoint by one recipe: first what words mean, then the motion, then what to do where that goes wrong.

    smolvla demos out/demonstrations
    python -m smolvla_ros.training.small_checkpoint out/demonstrations out/small_checkpoint
    smolvla demos out/corrections-1 --policy out/small_checkpoint/checkpoint
    python -m smolvla_ros.training.small_checkpoint out/demonstrations out/small_checkpoint \
        --corrections out/corrections-1

The last two again with out/corrections-2 beside the first, another seed, and the checkpoint that is better now, and so
on. With `--recorded DATASET` it is fine-tuned at last as `smolvla train` does it, on episodes of the recorder and the
converter. Interrupted, the same command goes on with the last whole checkpoint. The result is OUTPUT/checkpoint;
recipe.json in it tells how it was made.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from smolvla_ros.data.demonstration_arrays import DemonstrationArrays
from smolvla_ros.data.embodiment_features import features_of
from smolvla_ros.data.features import ACTION
from smolvla_ros.data.info import read_info
from smolvla_ros.data.whole_file import whole_folder
from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.model.checkpoint import SAMPLER_FILE, Checkpoint, load_checkpoint
from smolvla_ros.model.config import BackboneConfig
from smolvla_ros.model.json_file import write_json
from smolvla_ros.model.random_checkpoint import new_checkpoint
from smolvla_ros.training.beginning import relative_of
from smolvla_ros.training.demonstration_samples import DemonstrationSamples
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.named_objects import NamedObjects
from smolvla_ros.training.planned_rows import PlannedRows, Together
from smolvla_ros.training.request import Request, begin, from_the_start
from smolvla_ros.training.run_folder import MODEL, STATE, RunFolder
from smolvla_ros.training.settings import settings_from
from smolvla_ros.training.trainer import Trainer
from smolvla_ros.training.training_state import load_auxiliary

RECIPE = Path(__file__).parent.parent / "config" / "small_checkpoint.yaml"
SECTIONS = ("demonstrations", "model", "words", "policy", "corrections", "corrected", "sampler", "recorded")
CHECKPOINT, RECIPE_FILE = "checkpoint", "recipe.json"


def read_small_recipe(path: Path) -> dict[str, Any]:
    """Raises TrainingError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise mismatch(path, "a YAML file", error, "correct it") from None
    if not isinstance(found, dict) or set(found) != set(SECTIONS):
        raise mismatch(path, f"mappings under {', '.join(SECTIONS)}", found, "correct it")
    return found


def train_small(
    demonstrations: Path,
    output: Path,
    recipe: Mapping[str, Any],
    embodiment: Embodiment,
    corrections: Sequence[Path] = (),
    recorded: Path | None = None,
) -> Path:
    """The finished checkpoint's folder. corrections: of one round after the other; each round learns from those before
    too. recorded: a LeRobot dataset.

    Raises TrainingError, DatasetError, CheckpointError.
    """
    arrays = DemonstrationArrays(demonstrations)
    words = _stage(arrays, output / "words", recipe, embodiment, "words", None)
    policy = _stage(arrays, output / "policy", recipe, embodiment, "policy", words)
    for last in range(1, len(corrections) + 1):
        arrays = DemonstrationArrays(demonstrations, *corrections[:last])
        policy = _stage(arrays, output / f"corrected-{last}", recipe, embodiment, "corrected", policy)
    if recorded is not None:
        policy = _fine_tuned(policy, recorded, output / "recorded", recipe["recorded"])
    finished = output / CHECKPOINT
    shutil.rmtree(finished, ignore_errors=True)
    with whole_folder(finished) as folder:
        shutil.copytree(policy / MODEL, folder, dirs_exist_ok=True)
        write_json(folder / SAMPLER_FILE, recipe["sampler"])
        about = {**recipe, "learned_from": _learned_from(arrays, recorded), "torch": torch.__version__}
        write_json(folder / RECIPE_FILE, about)
    return finished


def _learned_from(arrays: DemonstrationArrays, recorded: Path | None) -> list[dict[str, Any]]:
    """Demonstrations, each round of corrections, recorded episodes, as far as there are: how much, from which seeds."""
    found: list[dict[str, Any]] = []
    for number in range(int(arrays.source[-1]) + 1):
        seeds = arrays.episode[arrays.source == number]
        made = f"corrections of round {number}" if number else "demonstrations"
        about = {"episodes": len(np.unique(seeds)), "frames": len(seeds), "seeds": [int(seeds.min()), int(seeds.max())]}
        found.append({"made": made, **about})
    if recorded is not None:
        info = read_info(recorded)
        found.append({"made": "recorded episodes", "episodes": info.total_episodes, "frames": info.total_frames})
    return found


def _stage(
    arrays: DemonstrationArrays,
    output: Path,
    recipe: Mapping[str, Any],
    embodiment: Embodiment,
    name: str,
    before: Path | None,
) -> Path:
    """Trains in `output`, goes on, or finds finished what one section says. Returns its last checkpoint's folder."""
    settings = from_the_start(settings_from(recipe[name], name))
    model, run = recipe["model"], RunFolder(output)
    samples = DemonstrationSamples(arrays, embodiment, model["policy"]["chunk_size"], settings.seed, before is None)
    begun = run.last or before
    checkpoint = load_checkpoint(begun / MODEL) if begun else _new(samples, model, settings.seed, embodiment)
    backbone = checkpoint.model.backbone
    width = backbone.text.hidden_size
    torch.manual_seed(settings.seed)
    auxiliary = Together(
        NamedObjects(width, tokens_a_side(backbone)),
        PlannedRows(width, checkpoint.config.chunk_size, checkpoint.config.action_dim),
    )
    if before and not run.last:
        load_auxiliary(before / STATE, auxiliary)
    trainer = Trainer(
        checkpoint,
        samples,
        replace(settings, noise_draws=settings.noise_draws if before else 1),
        output,
        sampling_weights=samples.sampling_weights(recipe["corrections"]["weight"]),
        auxiliary=auxiliary,
        embodiment=embodiment.path,
    )
    return trainer.run(resume=True)


def _fine_tuned(before: Path, recorded: Path, output: Path, settings: Mapping[str, Any]) -> Path:
    """Its last checkpoint's folder. Image tokens are found once and kept beside it."""
    features = output.with_name(f"{output.name}_features")
    request = Request(str(recorded), str(before / MODEL), feature_cache=str(features), settings=settings)
    return begin(request, output).run(resume=True)


def tokens_a_side(backbone: BackboneConfig) -> int:
    """Of a camera's image tokens, which are a square."""
    return backbone.vision.image_size // backbone.vision.patch_size // backbone.scale_factor


def _new(samples: DemonstrationSamples, model: Mapping[str, Any], seed: int, embodiment: Embodiment) -> Checkpoint:
    cameras = {camera.feature: (camera.height, camera.width) for camera in embodiment.cameras}
    relative = relative_of(model, features_of(embodiment)[ACTION].component_names)
    checkpoint = new_checkpoint(model, cameras, samples.statistics(relative), seed, model["policy"], relative=relative)
    _calm_residuals(checkpoint.model)
    return checkpoint


@torch.no_grad()
def _calm_residuals(model: nn.Module) -> None:
    """What blocks add to the residual begins small, by the number of additions, as GPT-2's does."""
    ends = ("o_proj.weight", "down_proj.weight", "out_proj.weight", "fc2.weight")
    added = {name: parameter for name, parameter in model.named_parameters() if name.endswith(ends)}
    for part in ("vision_model", "text_model", "lm_expert"):
        own = [parameter for name, parameter in added.items() if part in name]
        for parameter in own:
            parameter.mul_(len(own) ** -0.5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demonstrations", type=Path, help="what `smolvla demos` has made")
    parser.add_argument("output", type=Path, help="the run's folder")
    parser.add_argument(
        "--corrections", type=Path, nargs="*", default=[], help="what `smolvla demos --policy` has made, one a round"
    )
    parser.add_argument("--recorded", type=Path, help="a dataset of `smolvla dataset convert`, to end with")
    parser.add_argument("--config", type=Path, default=RECIPE, help="the recipe")
    parser.add_argument("--embodiment", default="", help="the robot: an embodiment file, config/so100.yaml by default")
    options = parser.parse_args()
    recipe, embodiment = read_small_recipe(options.config), load_embodiment(options.embodiment)
    given = options.demonstrations, options.output, recipe, embodiment, options.corrections, options.recorded
    print(f"checkpoint  {train_small(*given)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
