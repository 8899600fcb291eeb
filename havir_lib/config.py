"""The whole configuration of a run: one YAML file per profile, checked before anything starts.

Every knob of the companion is a field below, with its meaning and unit. Unknown keys are refused.
``configs/<profile>.yaml`` holds the profiles; a profile may extend another one (``extends: demo``).
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shlex
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from havir_lib.errors import ConfigError, did_you_mean
from havir_lib.parse import read_yaml
from havir_lib.paths import CONFIG_DIR

PLAIN = frozenset(string.ascii_letters + string.digits + "=+-._")


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""Of what becomes a folder or part of a file's name."""
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
MethodName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _()+-]*$", max_length=60)]
NSD_SUBJECTS = tuple(f"subj{number:02d}" for number in range(1, 9))
MOST_LEVELS = 20
"""Of settings within settings; the deepest have five."""


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values cannot change afterwards.

    Numbers are finite, and lists name nothing twice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _nothing_twice(self) -> Section:
        for name, value in self:
            if isinstance(value, list):
                _refuse_twice(name, value)
        return self


def _refuse_twice(name: str, values: list) -> None:
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{name} holds {', '.join(twice)} more than once")


class SimulatedSubject(Section):
    """One simulated participant."""

    shape: tuple[Count, Count, Count] = Field(description="voxel grid (X, Y, Z)")
    voxel_mm: float = Field(gt=0, description="isotropic voxel size in mm")
    seed: Seed = Field(description="seed of anatomy, tuning and noise")


class Simulation(Section):
    """The simulated data set (``havir_lib.simulation``)."""

    subjects: dict[Name, SimulatedSubject] = Field(min_length=1)
    n_sessions: int = Field(ge=1, description="scan sessions per subject, one hour each")
    trials_per_session: int = Field(750, ge=3, description="NSD: 750")
    repeats: int = Field(3, ge=1, description="presentations of each image")
    n_shared: int = Field(ge=2, description="images that every subject sees; the test set")
    image_size: int = Field(128, ge=32, description="pixels per side")
    crosstalk: float = Field(
        0.3, ge=0, le=1, description="share of an area's signal variance that is of the other kind"
    )
    noise_ceiling: dict[str, float] = Field(
        description="median noise ceiling (% of variance, 3 repeats) per area group"
    )
    warp_mm: float = Field(5.0, ge=0, description="how far an individual's areas move, SD in mm")
    noise_correlation: float = Field(
        0.2, ge=0, le=1, description="share of the noise variance that is spontaneous activity"
    )
    session_drift: float = Field(0.3, ge=0, description="SD of per-session offsets, in noise SD")
    session_gain: float = Field(0.1, ge=0, description="SD of per-session gains around 1")
    betas_format: Literal["hdf5", "nii.gz"] = "hdf5"
    seed: Seed = 0

    @property
    def n_images(self) -> int:
        """Different images that one subject sees."""
        return self.n_sessions * self.trials_per_session // self.repeats

    @model_validator(mode="after")
    def _design_is_possible(self) -> Simulation:
        n_trials = self.n_sessions * self.trials_per_session
        if n_trials % self.repeats:
            raise ValueError(
                f"{self.n_sessions} sessions of {self.trials_per_session} trials are {n_trials} "
                f"trials, which {self.repeats} repeats do not divide"
            )
        if self.n_images <= self.n_shared:
            raise ValueError(
                f"{n_trials} trials show {self.n_images} images {self.repeats} times each, no more "
                f"than n_shared = {self.n_shared}; none would be left for training"
            )
        return self

    @model_validator(mode="after")
    def _groups_are_known(self) -> Simulation:
        groups = {"early", "intermediate", "higher"}
        wrong = {k: v for k, v in self.noise_ceiling.items() if not 0 < v < 100}
        if set(self.noise_ceiling) != groups or wrong:
            raise ValueError(
                f"noise_ceiling needs exactly {sorted(groups)}, each above 0 and below 100 %; "
                f"found {self.noise_ceiling}"
            )
        return self


class Roles(Section):
    """Which regions feed which branch: names of ROI labels or of whole sets like ``floc-faces``."""

    structural: list[str]
    semantic: list[str]
    overlap: Literal["structural", "semantic", "drop"] = Field(
        "structural", description="which role keeps a voxel that both claim"
    )
    min_ncsnr: float = Field(
        0.0,
        ge=0,
        description="voxels below this noise ceiling SNR (from training trials only) are dropped",
    )


class Data(Section):
    """Where the brain data are and how they are read."""

    root: str | None = Field(None, description="folder of data; none: simulate it in the workspace")
    reader: Literal["nsd", "mindeye", "mindeye1", "laion_fmri", "bids"] = Field(
        "nsd", description="whose files they are, or 'bids' for one's own (docs/data.md)"
    )
    split: str | None = Field(
        None, description="JSON file with train_ids and test_ids, as LAION-fMRI's package has them"
    )
    trials_per_session: int = Field(750, ge=1, description="of MindEye2's rows")
    picture_size: int = Field(
        425, ge=32, description="pixels per side that pictures of one's own are given"
    )
    picture_crop: bool = Field(
        False, description="take the central square of pictures of one's own that are not square"
    )
    captions: list[str] | None = Field(
        None, description="COCO caption files, relative to root; none: the simulated tree's own"
    )
    subjects: list[Name] = Field(min_length=1)
    base_subject: str = Field(description="trained from scratch on all its sessions")
    n_sessions: Count | dict[str, Count] | None = Field(
        None,
        description="use only the first sessions; by subject where they differ (none named: all)",
    )
    betas_version: Name = "betas_fithrf_GLMdenoise_RR"
    betas_format: Literal["hdf5", "nii.gz"] = Field(
        "hdf5", description="which of NSD's two formats is downloaded; both are read"
    )
    space: Name = "func1pt8mm"
    roi_folder: Name | None = Field(
        None, description="folder of other masks beside the data set's own, e.g. roi_template"
    )
    bad_voxels: Literal["error", "drop"] = Field(
        "error", description="voxels that are NaN, or constant within a session"
    )
    check_order: Literal["error", "warn"] = Field(
        "error", description="when betas contradict the order of trials or the ids of pictures"
    )
    zscore: Literal["session", "session_all", "none"] = Field(
        "session",
        description="each session by its training trials; 'session_all' by all of its trials, test "
        "trials included, as in MindEye's and MindBridge's arrays: for comparison only",
    )
    roles: Roles

    def sessions_of(self, subject: str) -> int | None:
        """How many sessions of a subject are used; None for all."""
        if isinstance(self.n_sessions, dict):
            return self.n_sessions.get(subject)
        return self.n_sessions

    @model_validator(mode="after")
    def _base_is_a_subject(self) -> Data:
        if self.base_subject not in self.subjects:
            raise ValueError(
                f"base_subject is {self.base_subject!r}, not one of the subjects {self.subjects}"
            )
        return self

    @model_validator(mode="after")
    def _roles_name_regions(self) -> Data:
        if not (self.roles.structural and self.roles.semantic):
            raise ValueError("roles.structural and roles.semantic name at least one region each")
        return self

    @model_validator(mode="after")
    def _sessions_are_of_subjects(self) -> Data:
        if isinstance(self.n_sessions, dict):
            _require_known("n_sessions", self.n_sessions, self.subjects, "data.subjects")
        return self


class Weights(Section):
    """Pretrained networks, as folders or names."""

    diffusion: str = Field(
        "mini", description="'mini', or a folder in Versatile Diffusion's layout"
    )
    small_for_photographs: bool = Field(
        False, description="use the small models, which know rendered scenes only, for photographs"
    )
    clip: str = Field("mini", description="'mini', or an open_clip model name")
    clip_pretrained: str | None = Field(None, description="open_clip tag or file, e.g. 'openai'")
    diffusion_revision: str = Field(
        "2926f8e11ea526b562cd592b099fcf9c2985d0b7",
        description="commit, branch or tag, if diffusion is a repository of the Hugging Face hub",
    )
    clip_revision: str = Field(
        "main", description="the same for open_clip's repository of the CLIP weights"
    )
    hub_cache: str | None = Field(
        None, description="folder of a hub cache; none: where HF_HUB_CACHE or HF_HOME say"
    )


class Download(Section):
    """Where ``havir download`` fetches from, and how patiently."""

    nsd_bucket: str = "natural-scenes-dataset"
    nsd_region: str = "us-east-2"
    endpoint_url: str | None = Field(
        None, description="S3-compatible server that holds nsd_bucket; none: Amazon's"
    )
    coco_captions: str = Field(
        "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
        description="archive that holds annotations/captions_train2017.json and captions_val2017",
    )
    coco_md5: str | None = Field("f4bbac642086de4f52a3fdda2de5fa2c", description="of that archive")
    hub_endpoint: str | None = Field(None, description="of the Hugging Face hub; none: HF_ENDPOINT")
    mirror: str | None = Field(
        None,
        description="scheme and host that replace those of coco_captions and of metric networks",
    )
    jobs: int = Field(4, ge=1, description="files fetched at the same time")
    attempts: int = Field(6, ge=1, description="tries in a row that bring nothing")
    retry_seconds: float = Field(1.0, ge=0, description="first pause between tries; then doubled")
    timeout_seconds: float = Field(60.0, gt=0, description="silence after which a try is given up")


class TargetSettings(Section):
    """Training targets: VAE latents and CLIP tokens."""

    captions_per_image: int = Field(
        5,
        ge=0,
        description="captions of each image that are embedded; 0: none are known, and image tokens "
        "guide alone (with diffusion.mixing 0)",
    )
    batch_size: int = Field(64, ge=1, description="images encoded at once")


class StructuralSettings(Section):
    """Appendix A of the paper; widths, not stated there, follow MindEye's low-level branch."""

    hidden: int = Field(4096, ge=8)
    n_blocks: int = Field(4, ge=0)
    dropout_in: float = Field(0.5, ge=0, lt=1)
    dropout: float = Field(0.25, ge=0, lt=1)
    map_channels: int = Field(64, ge=1, description="channels of the low-resolution feature map")
    map_size: int = Field(16, ge=1, description="side of the low-resolution feature map")
    decoder_channels: tuple[Count, ...] = Field((64, 128, 256), min_length=1)


class SemanticSettings(Section):
    """Appendix B of the paper; widths are not stated there and follow MindBridge's single model."""

    hidden: int = Field(2048, ge=8)
    n_blocks: int = Field(4, ge=0)
    dropout_in: float = Field(0.5, ge=0, lt=1)
    dropout: float = Field(0.15, ge=0, lt=1)
    pooled_voxels: int | None = Field(
        None,
        ge=8,
        description="adaptive max pooling of the voxels to this many first, MindBridge's way; "
        "none (the paper): every voxel has weights of its own",
    )


class Fit(Section):
    """How one branch is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="peak of the one-cycle schedule")
    weight_decay: float = Field(1e-2, ge=0)
    validation_fraction: float = Field(0.1, gt=0, lt=1, description="of training images, by image")


class Losses(Section):
    """Weights of the terms in Eqs. (3), (5) and (6), and the SoftCLIP temperature of Eq. (4)."""

    mse: float = Field(1.0, ge=0, description="on latents, Eq. (3)")
    sobel: float = Field(1.0, ge=0, description="on latents, Eq. (3)")
    softclip: float = Field(1.0, ge=0, description="on tokens, Eqs. (5) and (6)")
    token_mse: float = Field(
        1.0, ge=0, description="on tokens, Eqs. (5) and (6); sum over entries, mean over images"
    )
    text: float = Field(
        1.0, ge=0, description="on Eq. (6) as a whole, against Eq. (5); 0: image tokens alone"
    )
    temperature: float = Field(0.005, gt=0, description="of SoftCLIP, Eq. (4)")
    softclip_direction: Literal["both", "forward"] = Field(
        "both", description="forward: Eq. (4) as printed; both: the code it cites"
    )


class Training(Section):
    """Both branches on the base subject, then transfer to the others."""

    structural: Fit
    semantic: Fit
    losses: Losses = Losses()
    transfer_structural: Fit
    transfer_semantic: Fit
    base_model: str | None = Field(
        None,
        description="folder that `havir export` wrote: every subject is trained by transfer from "
        "it, and none from scratch",
    )
    transfer_sessions: int = Field(1, ge=1, description="hours of data of a new subject")
    transfer_layers: Literal["all", "embed"] = Field(
        "all", description="what is trained in transfer: everything, or the new first layer only"
    )
    precision: Literal["no", "bf16"] = Field("no", description="bf16: activations in bfloat16")
    checkpoint_seconds: float = Field(20.0, gt=0)
    captions: Literal["random", "mean"] = Field(
        "random", description="text target: another caption each epoch, or their mean"
    )
    mixup_repeats: bool = Field(True, description="random convex mix of an image's repeats")


class Ridge(Section):
    """Ridge regression to the same targets (Brain-Diffuser's way), cross-validated."""

    alphas: tuple[float, float, Count] = Field((0, 7, 15), description="log10 from, to, count")
    folds: int = Field(5, ge=2)

    @model_validator(mode="after")
    def _alphas_rise(self) -> Ridge:
        first, last, _ = self.alphas
        if not -30 <= first <= last <= 30:
            raise ValueError(f"alphas rise from one power of ten to another, found {self.alphas}")
        return self


class Diffusion(Section):
    """Sampling (section III-C)."""

    steps: int = Field(20, ge=1)
    scheduler: Literal["ddpm", "ddim", "unipc", "dpmsolver++"] = "unipc"
    final_sigmas_type: Literal["zero", "sigma_min"] = Field(
        "zero",
        description="noise level after the last step of unipc and dpmsolver++: none, or the "
        "schedule's smallest, as in the diffusers (< 0.27) of MindEye and MindBridge",
    )
    strength: float = Field(0.85, ge=0, le=1)
    strength_convention: Literal["noise", "structure"] = "noise"
    guidance_scale: float = Field(3.5, ge=1)
    mixing: float = Field(0.5, ge=0, le=1, description="weight of text against image tokens")
    batch_size: int = Field(16, ge=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32",
        description="auto: bfloat16 where the processor computes in it, else float32; a run's "
        "settings and results name the one it was",
    )


class Evaluation(Section):
    """Scores."""

    metrics: list[str] = Field(
        min_length=1, description="rows of the metric table in havir_lib.evaluation"
    )
    n_bootstrap: int = Field(2000, ge=100)
    confidence: float = Field(0.95, gt=0, lt=1)
    batch_size: int = Field(32, ge=1)


class Comparison(Section):
    """Methods and controls beside HAVIR itself."""

    full: bool = Field(
        False, description="also the methods and controls that train networks of their own"
    )
    pooled_voxels: int = Field(
        8192, ge=8, description="of the model in the style of MindBridge, fewer than voxels"
    )
    template_folder: Name = Field(
        "roi_template", description="ROI masks not drawn for the individual, beside its own masks"
    )
    ablation_subjects: list[str] | None = Field(
        None, description="in Table IV unless comparison.full is set; none: all"
    )
    curve_subjects: list[str] | None = Field(
        None, description="in the curve over hours of data; none: all but the base subject"
    )
    curve_hours: list[Count] | None = Field(
        None,
        min_length=1,
        description="its points; none: five, from one hour to all, evenly in log scale",
    )
    pictures: dict[MethodName, str] = Field(
        {},
        description="pictures that other programs made, as methods of Table III and Figure 3: "
        "name and folder, in which {subject} stands for the subject",
    )
    splits: list[str] = Field(
        [],
        description="further divisions into training and test, each as data.split; the controls "
        "decode under every one of them",
    )
    sweep_images: int = Field(16, ge=3, description="test images in the sweeps")
    strengths: list[Share] = Field([0.3, 0.5, 0.7, 0.85, 1.0], min_length=1)
    mixings: list[Share] = Field([0.0, 0.25, 0.5, 0.75, 1.0], min_length=1)
    guidance_scales: list[Annotated[float, Field(ge=1)]] = Field(
        [1.0, 1.5, 2.5, 3.5, 5.0], min_length=1
    )
    n_clusters: int = Field(
        5, ge=2, description="semantic clusters; each is left out of training in turn"
    )
    crosstalk: list[Share] = Field(
        [0.0, 0.4],
        description="settings of the simulation that claims are tried under, "
        "beside simulation.crosstalk",
    )
    crosstalk_subjects: list[str] | None = Field(
        None, description="subjects simulated for that; none: the base subject alone"
    )


class Figures(Section):
    """What the figures show."""

    n_examples: int = Field(5, ge=1, description="rows of Figures 2 to 4")
    n_random: int = Field(12, ge=1, description="random reconstructions beside the chosen ones")


class Resources(Section):
    """What the process of one notebook uses, whatever the machine has.

    Sums over another number of threads differ in the last bits, so threads are part of a profile.
    """

    threads: int = Field(1, ge=1, description="cores of a notebook that others run beside")
    threads_alone: int = Field(2, ge=1, description="cores of one that runs alone: 00 and 10")
    mem_mb: int = Field(2000, ge=1, description="memory of the machine that a notebook needs, MB")


class Config(Section):
    """One profile."""

    profile: Name = Field(description="names the outputs")
    seed: Seed = 0
    workspace: str | None = Field(
        None, description="folder for results; default results/<profile>; changes have one in it"
    )
    _given_as: str = PrivateAttr("")
    _changes: dict[str, Any] = PrivateAttr(default_factory=dict)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    simulation: Simulation | None = Field(None, description="present: the brain data are simulated")
    data: Data
    weights: Weights = Weights()
    download: Download = Download()
    resources: Resources = Resources()
    extensions: list[str] = []
    """Python files beside the notebooks that add methods or metrics, see notebook 11."""
    targets: TargetSettings = TargetSettings()
    structural_generator: StructuralSettings = StructuralSettings()
    semantic_extractor: SemanticSettings = SemanticSettings()
    training: Training
    ridge: Ridge = Ridge()
    diffusion: Diffusion = Diffusion()
    evaluation: Evaluation
    comparison: Comparison = Comparison()
    figures: Figures = Figures()

    @property
    def given_as(self) -> str:
        """How the profile was named, a name or a path, quoted for a command to copy."""
        return self._given_as or self.profile

    @property
    def changes(self) -> dict[str, Any]:
        """Settings by dotted keys that overrides have made other than the profile says.

        Those that say where and how it is computed (:data:`HOW`) are not among them.
        """
        return dict(self._changes)

    def changed(self, key: str, value: Any) -> Config:
        """The same configuration, known to differ from its profile in what no setting says."""
        copied = self.model_copy()
        copied._changes = {**self._changes, key: value}
        return copied

    @property
    def variant(self) -> str:
        """The profile's name, with a suffix if it was changed: its results are kept apart."""
        return self._named(self.changes)

    @property
    def reference(self) -> str:
        """Its name among the committed numbers, of which there may be some in each precision."""
        same = {key: x for key, x in self.changes.items() if key != "diffusion.precision"}
        return self._named(same)

    def _named(self, changes: dict[str, Any]) -> str:
        full = changes.pop("comparison.full", False)
        name = f"{self.profile}-full" if full else self.profile
        if not changes:
            return name
        text = "+".join(f"{key.rpartition('.')[2]}={value}" for key, value in changes.items())
        if len(text) > 40 or not set(text) <= PLAIN:
            text = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:8]
        return f"{name}+{text}"

    def chosen(self, name: str, among: Sequence[str]) -> list[str]:
        """Subjects of a list of the comparison, e.g. ``"curve_subjects"``, that are `among` some.

        All of those if it names none of them: a profile may extend one of other subjects.
        """
        given = getattr(self.comparison, name) or []
        return [subject for subject in given if subject in among] or list(among)

    @property
    def simulated(self) -> bool:
        """Whether the numbers of this profile come from simulated subjects."""
        return self.simulation is not None and self.data.root is None

    @model_validator(mode="after")
    def _data_come_from_somewhere(self) -> Config:
        if self.data.root is None and self.simulation is None:
            raise ValueError(
                "no data: set data.root to a folder of NSD (havir run --data DIR), "
                "or give a simulation section"
            )
        return self

    @property
    def has_text(self) -> bool:
        """Whether anything is said about the pictures."""
        return self.targets.captions_per_image > 0

    @model_validator(mode="after")
    def _unknown_text_does_not_guide(self) -> Config:
        if not self.has_text and self.diffusion.mixing > 0:
            raise ValueError(
                "targets.captions_per_image is 0, so no text is known that could guide: set "
                f"diffusion.mixing to 0, found {self.diffusion.mixing}"
            )
        return self

    @model_validator(mode="after")
    def _subjects_are_known(self) -> Config:
        if self.simulated and self.simulation is not None:
            known = list(self.simulation.subjects)
            _require_known("data.subjects", self.data.subjects, known, "simulation.subjects")
        simulated = [] if self.simulation is None else list(self.simulation.subjects)
        # A run may leave subjects out, and a profile may extend one of others.
        known = list(dict.fromkeys([*self.data.subjects, *simulated, *NSD_SUBJECTS]))
        for name in ("ablation_subjects", "curve_subjects", "crosstalk_subjects"):
            given = getattr(self.comparison, name) or []
            _require_known(f"comparison.{name}", given, known, "data.subjects")
        return self


def _require_known(name: str, given: Iterable[str], known: list[str], where: str) -> None:
    for one in given:
        if one not in known:
            hint = did_you_mean(one, known, "; did you mean")
            raise ValueError(f"{name} names {one!r}, not one of {where} ({', '.join(known)}){hint}")


def load_config(profile: str | Path = "demo", overrides: dict[str, Any] | None = None) -> Config:
    """Read a profile and check it.

    Parameters
    ----------
    profile : str or Path
        Name of a file in ``configs/`` without its suffix, or the path of a YAML file.
    overrides : dict, optional
        Dotted keys to replace, e.g. ``{"data.root": "/data/nsd", "diffusion.steps": 50}``.

    Raises
    ------
    ConfigError
        If the file does not exist, is not YAML, or holds unknown keys or impossible values.
    """
    content = _read(_find(profile))
    as_given = copy.deepcopy(content)
    for key, value in (overrides or {}).items():
        _override(content, key, value)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_explain(error, profile)) from None
    config._given_as = shlex.quote(str(profile))
    config._changes = _changes(as_given, config)
    return config


HOW = ("workspace", "device", "data.root", "resources.", "download.", "weights.hub_cache",
       "training.checkpoint_seconds", "evaluation.batch_size")  # fmt: skip
"""Settings that say where and how something is computed, and not what."""


def _changes(as_given: dict[str, Any], config: Config) -> dict[str, Any]:
    """What of `config` is not as the profile itself says, by dotted keys."""
    own_data = as_given.get("simulation") and not as_given.get("data", {}).get("root")
    if own_data is None or config.data.root is not None:  # a profile may leave it to be given
        _override(as_given, "data.root", config.data.root or "given")
    try:
        profile = dotted(Config.model_validate(as_given).model_dump(mode="json"))
    except ValidationError as error:
        raise ConfigError(_explain(error, config.profile)) from None
    changed = {
        key: value
        for key, value in dotted(config.model_dump(mode="json")).items()
        if not key.startswith(HOW) and not _same(profile.get(key), value)
    }
    return changed if config.data.root is None or not own_data else {"data": "own", **changed}


def _same(given: Any, value: Any) -> bool:
    """Whether two values are equal, or the second is the first as an absolute path."""
    paths = isinstance(given, str) and isinstance(value, str) and Path(value).is_absolute()
    return given == value or (paths and Path(value) == Path(given).expanduser().absolute())


def dotted(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys, ``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        inner = isinstance(value, dict) and value
        found |= dotted(value, f"{before}{key}.") if inner else {f"{before}{key}": value}
    return found


PLANNED = "HAVIR_PLANNED_PROFILE"
"""Variable of a run's steps: :func:`profile_digest` of its profile as planned, and its name."""


def profile_digest(profile: str | Path) -> str:
    """Of everything that a profile says, those that it extends included."""
    text = json.dumps(_read(_find(profile)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wanted_device(name: str = "auto") -> str | None:
    """The device that a configuration or ``HAVIR_DEVICE`` asks for; None: whatever is best."""
    return name if name != "auto" else os.environ.get("HAVIR_DEVICE") or None


PLACES = ("workspace", "data.root", "training.base_model")
PICTURES = "comparison.pictures."
WEIGHTS = ("diffusion", "clip", "clip_pretrained", "hub_cache")
"""Settings of ``weights`` that may be a folder or file."""


def absolute_paths(settings: dict[str, Any]) -> dict[str, str]:
    """Those of some dotted settings that are paths, absolute as seen from the current folder.

    Weights may be names, too; those are paths only if something is there.
    """
    found = {}
    pictures = [key for key in settings if key.startswith(PICTURES)]
    for key in (*PLACES, *pictures, *(f"weights.{name}" for name in WEIGHTS)):
        value = settings.get(key)
        if isinstance(value, str) and (
            key in (*PLACES, *pictures) or Path(value).expanduser().exists()
        ):
            found[key] = str(Path(value).expanduser().absolute())
    return found


def _find(profile: str | Path, beside: Path = Path()) -> Path:
    """File of a profile that is named, or of a path as seen from the folder `beside`."""
    path = beside / Path(profile).expanduser()
    if path.suffix not in {".yaml", ".yml"}:
        path = CONFIG_DIR / f"{profile}.yaml"
    if "\0" in str(path) or not path.is_file():
        known = sorted(file.stem for file in CONFIG_DIR.glob("*.yaml"))
        raise ConfigError(
            f"There is no configuration {path}. Known profiles: {', '.join(known)}; "
            "or give the path of a YAML file."
        )
    return path


def _read(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A profile's settings on top of those that it extends; `below` extend this one."""
    if path.resolve() in below:
        raise ConfigError(f"{path}: extends itself, by way of {below[-1]}.")
    content = read_yaml(path)
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise ConfigError(f"{path}: extends: expected the name of a profile, found {base!r}.")
    return _merge(_read(_find(base, path.parent), (*below, path.resolve())), content)


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _override(content: dict[str, Any], key: str, value: Any) -> None:
    keys = key.split(".")
    if not all(keys) or len(keys) > MOST_LEVELS:
        raise ConfigError(f"Expected a dotted key such as diffusion.steps, found {key!r:.60}.")
    inner: Any = content
    for depth, part in enumerate(keys[:-1]):
        if inner.get(part) is None:
            inner[part] = {}
        inner = inner[part]
        if not isinstance(inner, dict):
            raise ConfigError(
                f"{key} is a part of {'.'.join(keys[: depth + 1])}, which is {inner!r:.60} here "
                "and has no parts."
            )
    inner[keys[-1]] = copy.deepcopy(value)  # a later key may change a part of it


def _explain(error: ValidationError, profile: str | Path) -> str:
    lines = [f"The configuration {profile} has {error.error_count()} problem(s):"]
    for problem in error.errors():
        place = [part for part in problem["loc"] if isinstance(part, str)]
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden" and place:
            message = f"unknown key{_near_key(place)}"
        lines.append(f"  {'.'.join(map(str, problem['loc'])) or 'whole file'}: {message}")
    return "\n".join(lines)


def _near_key(place: list[str]) -> str:
    section: Any = Config
    for key in place[:-1]:
        field = getattr(section, "model_fields", {}).get(key)
        section = field.annotation if field else None
    known = getattr(section, "model_fields", {})
    return did_you_mean(place[-1], known, "; did you mean")
