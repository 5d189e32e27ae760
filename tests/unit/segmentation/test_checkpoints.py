import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sam2  # noqa: F401 (tells Hydra where the official configurations are)
import torch
from hydra import compose
from parity.upstream import build_official
from safetensors.torch import save_file
from torch import Tensor

from suresam.errors import CheckpointError
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import ModelManifest, load_family, load_manifest
from suresam.segmentation.weights import file_sha256, find_weights

TINY_CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"
CONFIGS = [
    (f"sam{version}_hiera_{size}", f"configs/sam{version}/sam{version}_hiera_{letter}.yaml")
    for version in ("2", "2.1")
    for size, letter in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
]
SMALLEST = Architecture(
    input_size=128,
    embed_dim=8,
    stages=(1, 1, 1, 1),
    global_att_blocks=(2,),
    window_spec=(8, 4, 4, 4),
    d_model=32,
    decoder_num_heads=1,
    decoder_mlp_dim=32,
    iou_head_hidden_dim=32,
)

State = dict[str, Tensor]


def manifest_of(path: Path, architecture: Architecture = SMALLEST) -> ModelManifest:
    return ModelManifest(path.stem, "a test", "Apache-2.0", architecture, path.name)


@pytest.fixture(scope="module")
def smallest_state() -> State:
    torch.manual_seed(0)
    return SMALLEST.build().state_dict()


@pytest.fixture
def write(tmp_path) -> Callable[[object, str], ModelManifest]:
    """Write a file's content and return its manifest."""

    def write_file(content: object, name: str) -> ModelManifest:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix == ".safetensors":
            save_file(content, path)
        else:
            torch.save(content, path)
        return manifest_of(path)

    return write_file


@pytest.mark.parametrize(
    ("version", "config", "num_keys"),
    [("2.1", TINY_CONFIG, 471), ("2", "configs/sam2/sam2_hiera_t.yaml", 468)],
)
def test_official_checkpoint_loads_with_upstreams_values(tmp_path, version, config, num_keys):
    torch.manual_seed(0)
    upstream = build_official(config).state_dict()
    assert len(upstream) == num_keys
    manifest = replace(load_manifest(f"sam{version}_hiera_tiny"), sha256=None)
    torch.save({"model": upstream}, tmp_path / manifest.weights)

    model = load_model(manifest, tmp_path)

    assert not model.training
    state = model.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert all(torch.equal(value, upstream[name]) for name, value in state.items())


@torch.inference_mode()
def test_loaded_model_encodes_as_upstream_does(tmp_path):
    torch.manual_seed(0)
    upstream = build_official(TINY_CONFIG)
    manifest = replace(load_manifest("sam2.1_hiera_tiny"), sha256=None)
    torch.save({"model": upstream.state_dict()}, tmp_path / manifest.weights)
    pixels = torch.randn(1, 3, 256, 256)  # the trunk takes any size; a quarter is fast

    embed, *high_res = load_model(manifest, tmp_path).forward_image(pixels)

    fine, middle, coarse = upstream.forward_image(pixels)["backbone_fpn"]
    assert torch.equal(embed, coarse + upstream.no_mem_embed.view(1, -1, 1, 1))
    assert torch.equal(high_res[0], fine)
    assert torch.equal(high_res[1], middle)


@pytest.mark.parametrize(("name", "config"), CONFIGS)
def test_official_architecture_is_upstreams_configuration(name, config):
    model, ours = compose(config_name=config).model, load_manifest(name).architecture
    trunk = {key: value for key, value in model.image_encoder.trunk.items() if key != "_target_"}
    defaults = {  # of upstream's Hiera, where a configuration leaves them out
        "stages": (2, 3, 16, 3),
        "global_att_blocks": (12, 16, 20),
        "window_pos_embed_bkg_spatial_size": (14, 14),
        "window_spec": (8, 4, 14, 7),
    }
    for key, value in {**defaults, **trunk}.items():
        assert getattr(ours, key) == (value if isinstance(value, int) else tuple(value)), key
    neck = model.image_encoder.neck
    assert ours.fpn_top_down_levels == tuple(neck.fpn_top_down_levels)
    assert (ours.d_model, ours.input_size) == (neck.d_model, model.image_size)


@pytest.mark.parametrize(
    ("size", "encoder_parameters"),
    [
        ("tiny", 27_219_136),
        ("small", 34_316_992),
        ("base_plus", 69_106_816),
        ("large", 212_703_280),
    ],
)
def test_official_architecture_has_the_published_number_of_parameters(size, encoder_parameters):
    model = load_manifest(f"sam2.1_hiera_{size}").architecture.build()
    prompt_encoder, mask_decoder, no_mem_embed = 6_220, 4_215_109, 256
    expected = encoder_parameters + prompt_encoder + mask_decoder + no_mem_embed
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_float16_file_loads_as_float32(tmp_path, write, smallest_state):
    manifest = write({k: v.half() for k, v in smallest_state.items()}, "m.safetensors")
    for name, value in load_model(manifest, tmp_path).state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, smallest_state[name].half().float())


def test_missing_parameter_is_named(tmp_path, write, smallest_state):
    state = {k: v for k, v in smallest_state.items() if k != "no_mem_embed"}
    with pytest.raises(CheckpointError, match=r"1 missing \(no_mem_embed\)$"):
        load_model(write(state, "m.safetensors"), tmp_path)


def test_missing_parameters_are_counted_and_the_first_named(tmp_path, write, smallest_state):
    state = {k: v for k, v in smallest_state.items() if "trunk" not in k}
    num_missing = len(smallest_state) - len(state)
    with pytest.raises(
        CheckpointError, match=rf"{num_missing} missing \((\S+trunk\S+, ){{3}}\.\.\.\)$"
    ):
        load_model(write(state, "m.safetensors"), tmp_path)


@pytest.mark.parametrize(
    "extra", ["surprise", "memory_attentions.weight", "no_obj_ptr.weight", "xmask_downsample.bias"]
)
def test_extra_parameter_is_named(tmp_path, write, smallest_state, extra):
    content = {"model": {**smallest_state, extra: torch.zeros(1)}}
    with pytest.raises(CheckpointError, match=rf"1 unknown \({extra}\)$"):
        load_model(write(content, "m.pt"), tmp_path)


def test_our_own_files_may_not_hold_the_video_path(tmp_path, write, smallest_state):
    state = {**smallest_state, "no_obj_ptr": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 unknown \(no_obj_ptr\)$"):
        load_model(write(state, "m.safetensors"), tmp_path)


def test_wrong_shape_is_named_with_both_shapes(tmp_path, write, smallest_state):
    state = {**smallest_state, "no_mem_embed": torch.zeros(1, 1, 7)}
    with pytest.raises(
        CheckpointError, match=r"1 of another shape \(no_mem_embed \(1, 1, 7\), not \(1, 1, 32\)\)"
    ):
        load_model(write(state, "m.safetensors"), tmp_path)


class RunsCode:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_pickled_code_is_refused_and_does_not_run(tmp_path, write):
    manifest = write({"model": RunsCode(tmp_path / "ran")}, "m.pt")
    with pytest.raises(CheckpointError, match=r"m\.pt cannot be read: damaged, or more"):
        load_model(manifest, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_truncated_file_is_refused(tmp_path, write, smallest_state, name, share):
    path = tmp_path / name
    manifest = write({"model": smallest_state} if name == "m.pt" else smallest_state, name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"cannot be read") as told:
        load_model(manifest, tmp_path)
    assert "\n" not in str(told.value)
    assert not (tmp_path / f"{name}.sha256").exists()  # a damaged file's hash is not kept


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_random_bytes_are_refused(tmp_path, write, name, seed):
    generator = torch.Generator().manual_seed(seed)
    content = torch.randint(256, (64,), generator=generator, dtype=torch.uint8).numpy().tobytes()
    with pytest.raises(CheckpointError):
        load_model(write(content, name), tmp_path)


@pytest.mark.parametrize(
    "content",
    [{"state": {}}, {"model": {}, "optimizer": {}}, [1], {"model": [1]}, {"model": {"a": 1}}],
)
def test_other_content_is_not_an_official_checkpoint(tmp_path, write, content):
    with pytest.raises(CheckpointError, match="not an official checkpoint"):
        load_model(write(content, "m.pt"), tmp_path)


def test_file_of_another_hash_is_refused_before_it_is_read(tmp_path, write):
    manifest = replace(write(b"anything", "m.pt"), sha256=64 * "0")
    with pytest.raises(CheckpointError, match=rf"SHA-256 [0-9a-f]{{64}}, expected {64 * '0'}"):
        load_model(manifest, tmp_path)


def test_file_without_known_hash_is_recorded_at_first_and_checked_later(
    tmp_path, write, smallest_state, caplog
):
    manifest = write(smallest_state, "m.safetensors")
    path, record = tmp_path / "m.safetensors", tmp_path / "m.safetensors.sha256"
    load_model(manifest, tmp_path)
    digest = file_sha256(path)
    assert record.read_text() == f"{digest}  m.safetensors\n"
    assert digest in caplog.text

    load_model(manifest, tmp_path)
    save_file({k: v + 1 for k, v in smallest_state.items()}, path)
    with pytest.raises(CheckpointError, match=rf"expected {digest}; remove .*\.sha256"):
        load_model(manifest, tmp_path)


def test_users_folder_comes_before_the_manifests_own(tmp_path):
    own, users = tmp_path / "own", tmp_path / "users"
    manifest = replace(manifest_of(Path("m.pt")), folder=own)
    for folder in (own, users):
        folder.mkdir()
        assert find_weights(manifest, users) is None
    for folder in (own, users):
        (folder / "m.pt").write_bytes(b"")
        assert find_weights(manifest, users) == folder / "m.pt"


def test_missing_weights_name_the_command_that_fetches_them(tmp_path):
    manifest = replace(load_manifest("sam2.1_hiera_tiny"), weights="nosuch.pt")
    with pytest.raises(CheckpointError, match=r"run `suresam models pull sam2\.1_hiera_tiny`$"):
        load_model(manifest)
    with pytest.raises(CheckpointError, match=f"hiera_tiny --models-dir {tmp_path}`$"):
        load_model(manifest, tmp_path)


def test_missing_weights_without_hash_say_where_to_put_them(tmp_path):
    manifest = replace(load_manifest("sam2_hiera_tiny"), weights="nosuch.pt")
    target = tmp_path / "nosuch.pt"
    with pytest.raises(CheckpointError, match=f"download {manifest.url} yourself .* {target}$"):
        load_model(manifest, tmp_path)


@pytest.mark.parametrize("manifest", load_family("demo").members, ids=lambda member: member.name)
def test_bundled_weights_fit_their_manifest(manifest):
    path = find_weights(manifest)
    if path is None:
        pytest.skip(f"{manifest.weights} is not there yet")
    assert manifest.sha256 == file_sha256(path)
    assert manifest.size_bytes == path.stat().st_size
    assert manifest.provenance
    load_model(manifest)
