"""Which folders a checkpoint's parts lie in: its own, and for an adapter its base's behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smolvla_ros.model.adapter import Adapter, read_adapter
from smolvla_ros.model.config import DEFAULT_BACKBONE, SMOLVLM2_500M, BackboneConfig, SmolVLAConfig
from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.hub import checkpoint_folder, hub_folder, is_hub_id
from smolvla_ros.model.json_file import read_json
from smolvla_ros.model.processors import has_processor_files
from smolvla_ros.model.weights import Weights, find_weights

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class CheckpointFiles:
    """`folder` is the checkpoint's. `base` holds the weights: the same folder, but for an adapter its base's."""

    folder: Path
    base: Path
    adapter: Adapter | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """In the order in which a part is looked for: an adapter may leave any to its base."""
        return (self.folder,) if self.folder == self.base else (self.folder, self.base)

    @property
    def config_path(self) -> Path:
        return next((path for f in self.folders if (path := f / CONFIG_FILE).is_file()), self.folder / CONFIG_FILE)

    @property
    def processor_folder(self) -> Path:
        return next((folder for folder in self.folders if has_processor_files(folder)), self.folder)

    def config(self) -> SmolVLAConfig:
        """Raises CheckpointError."""
        raw = read_json(self.config_path, "give the folder of a SmolVLA checkpoint")
        return SmolVLAConfig.from_json(raw, str(self.config_path))

    def weights(self, config: SmolVLAConfig) -> Weights:
        """From the headers of the files. Raises CheckpointError where one is missing or broken."""
        return find_weights(self.base, [f.name for f in config.input_features + config.output_features])

    def backbone(self, config: SmolVLAConfig) -> BackboneConfig:
        """Its size: of the folder that `vlm_model_name` names, known by name, or of the hub. Raises CheckpointError."""
        name = config.vlm_model_name
        candidates = [*(folder / name for folder in self.folders), Path(name)]
        folder = next((folder for folder in candidates if (folder / CONFIG_FILE).is_file()), None)
        if folder is None and name == DEFAULT_BACKBONE:
            return SMOLVLM2_500M
        why = ""
        if folder is None and is_hub_id(name):
            try:
                folder = hub_folder(name, (CONFIG_FILE,))
            except CheckpointError as error:
                why = f" ({error})"
        if folder is None:
            raise mismatch(
                f"{self.config_path}: vlm_model_name",
                f"a folder with a {CONFIG_FILE}, or {DEFAULT_BACKBONE}",
                name + why,
                "put the backbone's config.json into a folder of the checkpoint and name that folder",
            )
        path = folder / CONFIG_FILE
        return BackboneConfig.from_json(read_json(path, "use the backbone's own config.json"), str(path))


def find_files(source: str | Path) -> CheckpointFiles:
    """Of a folder, or of a model of the hub. Raises CheckpointError where it, or an adapter's base, is not there."""
    folder = checkpoint_folder(source)
    adapter = read_adapter(folder)
    if adapter is None:
        return CheckpointFiles(folder, folder, None)
    base = adapter.base if adapter.revision is None else f"{adapter.base}@{adapter.revision}"
    try:
        return CheckpointFiles(folder, checkpoint_folder(base, beside=folder), adapter)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: the base of this adapter: {error}") from None
