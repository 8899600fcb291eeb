"""Simulated subjects in the layouts that other data sets come in: replicas at toy size.

Each function writes one subject of a reader into a folder, as the data set's own files are
described in public (:mod:`havir_lib.data.readers`), and returns the settings that read it.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

from havir_lib.data.export import export_own
from havir_lib.data.readers import Reader

EARLY = ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4")
HIGHER = ("floc-faces", "floc-bodies", "floc-places", "floc-words")
STATMAP = "space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"


def masks_of(reader: Reader, subject: str) -> dict[str, np.ndarray]:
    """Name → mask (X, Y, Z) of the regions that the demo's roles name."""
    regions = reader.regions(subject)
    return {name: regions.mask(name) for name in (*EARLY, *HIGHER)}


def betas_of(reader: Reader, subject: str, ijk: np.ndarray) -> np.ndarray:
    """All trials (n, V) in % signal change, float32."""
    parts = [reader.betas(subject, session, ijk) for session in reader.sessions(subject)]
    return np.concatenate(parts) * np.float32(reader.unit(subject))


def as_bids(reader: Reader, subject: str, root: Path) -> dict:
    """A folder of one's own, without captions, sessions cut short."""
    export_own(reader, root, [subject], n_captions=0, uneven=3)
    return {
        "data.reader": "bids",
        "data.subjects": [f"sub-{subject}"],
        "data.bad_voxels": "drop",
        "targets.captions_per_image": 0,
        "diffusion.mixing": 0,
    }


def as_surface(reader: Reader, subject: str, root: Path) -> dict:
    """A folder of one's own whose voxels with a role are vertices of fsaverage5."""
    export_own(reader, root, [subject])
    folder, name = root / f"sub-{subject}", f"sub-{subject}"
    general = np.any(list(masks_of(reader, subject).values()), axis=0)
    for path in sorted(folder.rglob("*.nii.gz")):
        values = nib.load(path).get_fdata(dtype=np.float32)[general]
        values = values.reshape(len(values), -1)
        session, _, kind = path.name.removesuffix(".nii.gz").rpartition("_")
        label = session.removeprefix(name)
        for side, part in zip("LR", np.array_split(values, 2), strict=True):
            whole = np.zeros((10_242, 1, 1, values.shape[1]), np.float32)
            whole[: len(part), 0, 0] = part
            rest = (
                f"{label}_hemi-{side}_{kind}" if kind == "betas" else f"_hemi-{side}{label}_{kind}"
            )
            whole = whole[..., 0] if whole.shape[3] == 1 else whole
            nib.save(nib.MGHImage(whole, np.eye(4)), path.with_name(f"{name}{rest}.mgz"))
        path.unlink()
    about = json.loads((root / "dataset.json").read_text()) | {"surface": "fsaverage5"}
    (root / "dataset.json").write_text(json.dumps(about))
    return {"data.reader": "bids", "data.subjects": [name], "data.bad_voxels": "drop"}


def as_mindeye(reader: Reader, subject: str, root: Path) -> dict:
    """MindEye2's HDF5 without NSD's masks: its own regions, no places, z-scored over sessions."""
    root.mkdir(parents=True)
    masks, trials = masks_of(reader, subject), reader.trials(subject)
    general = np.any(list(masks.values()), axis=0)
    values = betas_of(reader, subject, np.argwhere(general)).astype(np.float64)
    train = (trials["use"] == "train").to_numpy()
    z = (values - values[train].mean(0)) / values[train].std(0, ddof=1)
    with h5py.File(root / f"betas_all_{subject}_fp32_renorm.hdf5", "w") as file:
        file["betas"] = z.astype(np.float32)
    with h5py.File(root / "COCO_73k_subj_indices.hdf5", "w") as file:
        file[subject] = trials["image"].to_numpy()
    roles = {"early_vis": EARLY, "higher_vis": HIGHER}
    with h5py.File(root / "brain_region_masks.hdf5", "w") as file:
        for region, names in roles.items():
            file[f"{subject}/{region}"] = np.any([masks[x] for x in names], axis=0)[general]
    n = len(reader.stimuli.table)
    test = trials.loc[trials["use"] == "test", "image"].unique()
    np.save(root / "shared1000.npy", np.isin(np.arange(n), test))
    pictures = np.stack([_scaled(x, 224) for x in reader.stimuli.images(np.arange(n))])
    with h5py.File(root / "coco_images_224_float16.hdf5", "w") as file:
        file["images"] = (pictures.transpose(0, 3, 1, 2) / 255).astype(np.float16)
    np.save(root / "COCO_73k_annots_curated.npy", np.array(reader.stimuli.captions(range(n), 5)))
    return {
        "data.reader": "mindeye",
        "data.subjects": [subject],
        "data.n_sessions": len(reader.sessions(subject)),
        "data.trials_per_session": int((trials["session"] == 1).sum()),
        "data.roles.structural": ["early_vis"],
        "data.roles.semantic": ["higher_vis"],
    }


def as_mindeye1(reader: Reader, subject: str, root: Path) -> dict:
    """MindEye1's archives: up to three repeats a sample, sessions lost; MindEye2's regions."""
    settings = as_mindeye(reader, subject, root)  # its regions and captions
    masks, trials = masks_of(reader, subject), reader.trials(subject)
    general = np.any(list(masks.values()), axis=0)
    z = betas_of(reader, subject, np.argwhere(general)).astype(np.float64)
    for session in trials["session"].unique():
        own = (trials["session"] == session).to_numpy()
        z[own] = (z[own] - z[own].mean(0)) / z[own].std(0)
    for part, own in trials.groupby("use"):
        folder = root / "webdataset_avg_split" / str(part)
        folder.mkdir(parents=True)
        with tarfile.open(folder / f"{part}_{subject}_0.tar", "w") as archive:
            for image, rows in own.groupby("image").groups.items():
                few = np.asarray(rows)[:3]
                filled = z[few[np.arange(3) % len(few)]].astype(np.float16)
                picture = Image.fromarray(_scaled(reader.stimuli.images([image])[0], 224))
                add_file(
                    archive,
                    f"sample{image:09d}.jpg",
                    bytes_of(lambda out, p=picture: p.save(out, "JPEG")),
                )
                for kind, values in (("nsdgeneral", filled), ("coco73k", np.array([image])),
                                     ("num_uniques", np.array([len(few)]))):  # fmt: skip
                    content = bytes_of(lambda out, v=values: np.save(out, v))
                    add_file(archive, f"sample{image:09d}.{kind}.npy", content)
    return settings | {"data.reader": "mindeye1", "data.n_sessions": None}


def bytes_of(write) -> bytes:
    """What ``write(stream)`` writes."""
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """A file of an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def as_laion(reader: Reader, subject: str, root: Path) -> dict:
    """LAION-fMRI's derivatives: its masks, trials by label, a split that leaves images out."""
    name, trials = "sub-01", reader.trials(subject)
    affine, shape = reader.grid(subject).affine, reader.grid(subject).shape
    everywhere = np.argwhere(np.ones(shape, bool))
    label = np.array([f"shared_{k:05d}.jpg" for k in range(len(reader.stimuli.table))])
    for session in reader.sessions(subject):
        folder = root / f"derivatives/glmsingle-tedana/{name}/ses-{session:02d}/func"
        folder.mkdir(parents=True)
        start = f"{name}_ses-{session:02d}_task-images_"
        values = reader.betas(subject, session, everywhere) * np.float32(reader.unit(subject))
        volume = values.T.reshape(*shape, -1).astype(np.float32)
        nib.save(nib.Nifti1Image(volume, affine), folder / f"{start}{STATMAP}")
        own = trials[trials["session"] == session]
        table = pd.DataFrame({
            "session": f"ses-{session:02d}", "run": 1, "label": label[own["image"]],
            "beta_index": np.arange(len(own)),
        })  # fmt: skip
        table.to_csv(folder / f"{start}desc-SingletrialBetas_trials.tsv", sep="\t", index=False)
    for region, mask in masks_of(reader, subject).items():
        folder = root / f"derivatives/rois/{name}/{'retinotopy' if region in EARLY else 'category'}"
        folder.mkdir(parents=True, exist_ok=True)
        file = f"{name}_space-T1w_res-1pt8_label-{region.replace('-', '')}_mask.nii.gz"
        nib.save(nib.Nifti1Image(mask.astype("u1"), affine), folder / file)
    _laion_stimuli(reader, root, label)
    test = np.unique(trials.loc[trials["use"] == "test", "image"])
    train = np.unique(trials.loc[trials["use"] == "train", "image"])[2:]  # two belong to neither
    lists = {"train_ids": label[train].tolist(), "test_ids": label[test].tolist()}
    (root / "split.json").write_text(json.dumps({"name": "toy", "variants": [lists]}))
    return {
        "data.reader": "laion_fmri",
        "data.subjects": [name],
        "data.split": "split.json",
        "data.picture_size": 128,
        "data.bad_voxels": "drop",
        "data.n_sessions": None,
        "data.roles.semantic": [x.replace("-", "") for x in HIGHER],
        "targets.captions_per_image": 4,
    }


def _laion_stimuli(reader: Reader, root: Path, label: np.ndarray) -> None:
    (root / "stimuli").mkdir()
    meta = pd.DataFrame({"image_name": label, "unique_or_shared": "shared"})
    meta.to_csv(root / "stimuli/task-images_metadata.csv", index=False)
    with h5py.File(root / "stimuli/task-images_stimuli.h5", "w") as file:
        kind = h5py.vlen_dtype(np.uint8)
        pictures = file.create_dataset("images", (len(label),), dtype=kind)
        for k in range(len(label)):
            out = io.BytesIO()
            Image.fromarray(reader.stimuli.images([k])[0]).save(out, "PNG")
            pictures[k] = np.frombuffer(out.getvalue(), np.uint8)
    who = ["ai", "human", "human", "human"]
    rows = [
        (name, k, who[k], text)
        for name, texts in zip(label, reader.stimuli.captions(range(len(label)), 4), strict=True)
        for k, text in enumerate(texts)
    ]
    table = pd.DataFrame(rows, columns=["image_name", "caption_idx", "source", "caption"])
    table.to_csv(root / "stimuli/task-images_desc-captions.csv", index=False)


def _scaled(picture: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


LAYOUTS = {
    "bids": as_bids,
    "surface": as_surface,
    "mindeye": as_mindeye,
    "mindeye1": as_mindeye1,
    "laion_fmri": as_laion,
}
