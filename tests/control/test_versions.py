"""Versions on their way in and out."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from support.control import (
    SIGNATURE,
    Control,
    add_version,
    make_home,
    serve,
    tar_of,
    version_folder,
)
from tiltyard.artifacts import folder_digest, unpack
from tiltyard.client import wire
from tiltyard.errors import InvalidInputError, NotFoundError, TooLargeError
from tiltyard.types.registry import RunKind, RunRequest, Version


def upload(control: Control, tar: bytes, name: str = "scientist", **request: Any) -> Version:
    """Upload bytes as a version of bikes."""
    return control.client(name).add_version("bikes", io.BytesIO(tar), **request)


def made_tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar of these members."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Return a member's header."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def stays_empty(control: Control) -> None:
    """Check that nothing was kept: no version, no artifact, no file on its way."""
    assert control.client().versions("bikes") == []
    home = control.parts.settings.home
    assert list(home.glob("artifacts/??/*")) == []
    assert list(control.parts.scratch.iterdir()) == []


def test_a_version_is_kept_to_the_byte(control: Control, bikes: str, tmp_path: Path) -> None:
    """Its folder comes back with the digest under which it is registered."""
    folder = version_folder(tmp_path / "v")
    version = upload(control, tar_of(folder).getvalue())
    assert (version.version, version.created_by) == (1, "scientist")
    assert version.digest == folder_digest(folder)
    control.client("worker").download_version("bikes", 1, tmp_path / "back.tar")
    with (tmp_path / "back.tar").open("rb") as tar:
        unpack(tar, tmp_path / "back", 10**6)
    assert folder_digest(tmp_path / "back") == version.digest


def test_the_same_folder_is_the_same_version(control: Control, bikes: str, tmp_path: Path) -> None:
    """An upload whose answer was lost may be sent again."""
    tar = tar_of(version_folder(tmp_path / "v")).getvalue()
    assert upload(control, tar) == upload(control, tar)
    assert add_version(control, tmp_path / "other", description="another") == 2


def test_history_predictions_are_kept(control: Control, bikes: str, tmp_path: Path) -> None:
    """Those sent beside the folder, one for each row of the history."""
    digest = control.client().history("bikes").digest
    folder = version_folder(tmp_path / "v", history=digest)
    batch = pa.record_batch({"value": pa.array([1.0, 11, 21, 31, 41, 51])})
    upload(control, tar_of(folder).getvalue(), predictions=(batch.schema, [batch]))
    kept = pa.Table.from_batches(control.parts.store.read_history_predictions("bikes", 1))
    assert kept["value"].to_pylist() == [1.0, 11, 21, 31, 41, 51]


def test_history_predictions_may_be_in_the_folder(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """As `log_model` leaves them."""
    digest = control.client().history("bikes").digest
    batch = pa.record_batch({"value": pa.array([float(i) for i in range(6)])})
    stream = b"".join(wire.encode(batch.schema, [batch]))
    folder = version_folder(
        tmp_path / "v", history=digest, more={"history_predictions.arrow": stream}
    )
    upload(control, tar_of(folder).getvalue())
    kept = pa.Table.from_batches(control.parts.store.read_history_predictions("bikes", 1))
    assert kept.num_rows == 6


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"value": [1.0]}, "1 predictions for a history of 6 rows"),
        ({"value": [1.0] * 6, "p0": [1.0] * 6}, "the columns value, not value, p0"),
        ({"guess": [1.0] * 6}, "not guess"),
    ],
)
def test_predictions_that_do_not_fit_keep_nothing(
    control: Control, bikes: str, tmp_path: Path, columns: dict[str, list[float]], word: str
) -> None:
    """They are refused before the version is registered."""
    digest = control.client().history("bikes").digest
    tar = tar_of(version_folder(tmp_path / "v", history=digest)).getvalue()
    batch = pa.record_batch({name: pa.array(values) for name, values in columns.items()})
    with pytest.raises(InvalidInputError, match=word):
        upload(control, tar, predictions=(batch.schema, [batch]))
    stays_empty(control)


def test_predictions_of_an_unknown_history_are_refused(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """Nobody could say which rows they are of."""
    tar = tar_of(version_folder(tmp_path / "v", history="0" * 64)).getvalue()
    batch = pa.record_batch({"value": pa.array([1.0])})
    with pytest.raises(InvalidInputError, match="not here"):
        upload(control, tar, predictions=(batch.schema, [batch]))


@pytest.mark.parametrize(
    ("tar", "word"),
    [
        (b"", "tar"),
        (b"no tar at all" * 1000, "tar"),
        (made_tar((member("../../evil"), b"x")), "does not stay in its folder"),
        (made_tar((member("/etc/evil"), b"x")), "does not stay in its folder"),
        (made_tar((member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")), "neither"),
        (made_tar((member("link", tarfile.LNKTYPE, "/etc/passwd"), b"")), "neither"),
        (made_tar((member("pipe", tarfile.FIFOTYPE), b"")), "neither"),
        (made_tar((member("a"), b"1"), (member("a"), b"2")), "twice"),
        (made_tar((member("model.joblib"), b"x")), "version.json"),
        (made_tar((member("version.json"), b"{}")), "no manifest"),
    ],
)
def test_corrupt_and_malicious_tars_keep_nothing(
    control: Control, bikes: str, tar: bytes, word: str
) -> None:
    """Each is a 422 with a sentence, and leaves no file behind."""
    with pytest.raises(InvalidInputError, match=word) as refused:
        upload(control, tar)
    assert str(control.parts.settings.home) not in refused.value.message
    stays_empty(control)


def test_a_torn_tar_keeps_nothing(control: Control, bikes: str, tmp_path: Path) -> None:
    """An upload that lacks its end is refused."""
    tar = tar_of(version_folder(tmp_path / "v")).getvalue()
    with pytest.raises(InvalidInputError):
        upload(control, tar[:700])
    stays_empty(control)


def test_a_file_that_is_not_as_declared_is_refused(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """A byte that changed on the way, a file too many, one too few."""
    changed, more, fewer = (version_folder(tmp_path / name) for name in ("a", "b", "c"))
    (changed / "model.joblib").write_bytes(b"another")
    (more / "extra.py").write_text("print()")
    (fewer / "model.joblib").unlink()
    for folder, word in ((changed, "digest"), (more, "not declared"), (fewer, "missing")):
        with pytest.raises(InvalidInputError, match=word):
            upload(control, tar_of(folder).getvalue())
    stays_empty(control)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "cars"}, "is of 'cars'"),
        ({"task": "classification"}, "a classification"),
        (
            {
                "signature": {
                    **SIGNATURE,
                    "inputs": [{"name": "wind", "type": "float64"}],
                }
            },
            "'wind' is not in the call schema",
        ),
        (
            {
                "signature": {
                    **SIGNATURE,
                    "inputs": [{"name": "temperature", "type": "string"}],
                }
            },
            "'temperature' is float64 in calls, string in the version",
        ),
    ],
)
def test_a_version_must_fit_its_model(
    control: Control, bikes: str, tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    """Model, task and inputs are those of the call schema."""
    with pytest.raises(InvalidInputError, match=word):
        add_version(control, tmp_path / "v", **changes)
    assert control.client().versions("bikes") == []


def test_a_version_needs_its_model(control: Control, tmp_path: Path) -> None:
    """A history comes first: it defines what applications send."""
    with pytest.raises(NotFoundError, match="no model 'bikes'"):
        add_version(control, tmp_path / "v")


def test_a_folder_beyond_the_limit_is_refused(small_control: Control, tmp_path: Path) -> None:
    """More than control.max_upload_mb is a 413."""
    folder = version_folder(tmp_path / "v", more={"big.bin": bytes(1_200_000)})
    with pytest.raises(TooLargeError):
        upload(small_control, tar_of(folder).getvalue())


def test_a_form_without_folder_is_told_what_to_send(control: Control, bikes: str) -> None:
    """JSON, an empty body and a form with a text are 422."""
    requests: list[dict[str, Any]] = [
        {"json": {}},
        {},
        {"data": {"folder": "text"}},
        {"files": {"x": b"y"}},
    ]
    for request in requests:
        answer = control.call("POST", "/models/bikes/versions", "scientist", **request)
        assert answer.status_code == 422, request
        assert "whose file `folder` is a tar" in answer.json()["error"]["message"]


def test_what_a_crash_left_on_its_way_is_removed(tmp_path: Path) -> None:
    """When control starts again."""
    settings = make_home(tmp_path)
    left = settings.path("tmp", "half", "model.joblib")
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with serve(settings):
        assert list(settings.path("tmp").iterdir()) == []


def test_a_run_signs_its_versions(control: Control, bikes: str, tmp_path: Path) -> None:
    """A version uploaded with a run's token is of that run; nobody else may say so."""
    scientist = control.client("scientist")
    scientist.request_run(RunRequest(kind=RunKind.TRAIN, pipeline="bikes"))
    claimed = control.client("runner").claim_run("r", 30)
    assert claimed is not None
    run, token = claimed
    control.tokens["run"] = token
    version = upload(control, tar_of(version_folder(tmp_path / "v")).getvalue(), "run")
    assert (version.run, version.created_by) == (run.id, "scientist")
    other = tar_of(version_folder(tmp_path / "w", description="w")).getvalue()
    path = f"/models/bikes/versions?run={run.id}"
    assert control.call("POST", path, "scientist", files={"folder": other}).status_code == 403
    assert upload(control, other, "runner", run=run.id).run == run.id
