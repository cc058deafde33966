"""Reading and verifying a version's folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tiltyard.errors import IntegrityError
from tiltyard.scoring.folder import read_manifest, verify_folder


@pytest.fixture
def folder(logistic: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(logistic, tmp_path / "version"))


def test_an_untouched_folder_is_accepted(folder: Path) -> None:
    """Every file is declared and hashes well."""
    assert verify_folder(folder) == read_manifest(folder)
    assert {"model.joblib", "golden.arrow"} <= verify_folder(folder).files.keys()


def spoil(folder: Path) -> None:
    """Flip one bit of the model file."""
    path = folder / "model.joblib"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def link(folder: Path) -> None:
    """Put a link in place of a file."""
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil, "model.joblib .* is not what its digest"),
        (lambda f: (f / "golden.arrow").unlink(), "golden.arrow .* is missing"),
        (lambda f: (f / "more.py").touch(), "more.py .* is not declared"),
        (link, "model.onnx .* is no plain file"),
        (lambda f: (f / "version.json").unlink(), "version.json cannot be read"),
        (lambda f: (f / "version.json").write_text("{}"), "is no manifest: model"),
        (lambda f: (f / "version.json").write_text("nonsense"), "is no manifest"),
    ],
)
def test_whatever_differs_is_named(
    folder: Path, change: Callable[[Path], object], message: str
) -> None:
    """One flipped bit, a missing, added or linked file, a broken manifest."""
    change(folder)
    with pytest.raises(IntegrityError, match=message):
        verify_folder(folder)
