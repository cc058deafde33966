"""The R engine: to the bit what R predicts, and what happens when R fails."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.rmodels import COLUMNS, DTYPES, KINDS, RModels, manifest_fields, signature
from tiltyard.errors import TiltyardError, TimedOutError, UnavailableError
from tiltyard.scoring import frames
from tiltyard.scoring.batches import BatchScorer
from tiltyard.scoring.engines import load_engine
from tiltyard.scoring.engines.base import LoadError, Scores
from tiltyard.scoring.engines.r import cpus
from tiltyard.scoring.engines.r.answers import RError
from tiltyard.scoring.engines.r.engine import REngine
from tiltyard.scoring.engines.r.frames import RFrames
from tiltyard.scoring.frames import FrameBuffer, Kind
from tiltyard.scoring.golden import first_difference, read_golden, repeat_golden
from tiltyard.scoring.rows import RowError, pack_rows
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import ColumnType, Output, Signature

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hazard(r_versions: Callable[[str], Path]) -> Iterator[REngine]:
    """Two workers that a column of numbers can make fail."""
    folder = r_versions("hazard")
    with_two = REngine(folder, manifest_of("hazard"), workers=2, hang_s=2.0)
    assert len(with_two.pids) == 1
    with ThreadPoolExecutor(2) as threads:  # only a batch that must wait brings the second one
        list(threads.map(lambda _: score(with_two, 555), range(4)))
    assert len(with_two.pids) == 2
    yield with_two
    with_two.close()


def manifest_of(kind: str, **fields: Any) -> VersionManifest:
    """Return a kind's manifest, with some fields changed."""
    return VersionManifest(files={}, **(manifest_fields(kind) | fields))


def run_r(code: str, *arguments: Path) -> None:
    """Run R code."""
    subprocess.run(["Rscript", "--vanilla", "-e", code, *map(str, arguments)], check=True)


def score(engine: REngine, *numbers: float) -> list[Any]:
    """Return what the hazard's engine makes of these numbers."""
    rows = [{"a": number} for number in numbers]
    return list(engine.score(len(rows), *pack_rows(signature("hazard"), rows)).values)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hazard"])
def test_every_row_is_predicted_to_the_bit(
    r_models: RModels, r_versions: Callable[[str], Path], kind: str
) -> None:
    """A thousand rows at once, and some alone, as R itself predicted them in the notebook.

    The kind `same` compares the rows that it is given with those it was trained on, in R, to
    the bit: missing values of all types, integers beyond 2^31, subnormal and huge doubles,
    negative zero, UTF-8 levels and text, dates and microseconds before 1970.
    """
    folder = r_versions(kind)
    wanted, expected = signature(kind), r_models.scores(kind)
    rows = r_models.rows(kind)
    engine = REngine(folder, manifest_of(kind), workers=1)
    try:
        repeat_golden(engine, read_golden(folder, wanted))
        found = engine.score(len(rows), *pack_rows(wanted, rows))
        assert first_difference(expected, found, exact=True) is None
        for i in range(0, len(rows), 100) if kind != "same" else ():
            alone = engine.score(1, *pack_rows(wanted, [rows[i]]))
            of_all = None if expected.probabilities is None else expected.probabilities[i : i + 1]
            assert (
                first_difference(Scores(expected.values[i : i + 1], of_all), alone, exact=True)
                is None
            )
    finally:
        engine.close()


def test_another_bit_is_not_the_same(r_models: RModels, r_versions: Callable[[str], Path]) -> None:
    """The model that compares its rows notices the last bit, a level and a missing value."""
    engine = REngine(r_versions("same"), manifest_of("same"), workers=1)
    wanted, rows = signature("same"), r_models.rows("same")
    at = next(i for i, row in enumerate(rows) if None not in row.values())
    changes: list[tuple[str, Any]] = [
        ("a", np.nextafter(rows[at]["a"], 9)),
        ("level", "unknown"),
        ("text", "e\u0301"),
        ("big", 2**53),
        ("small", None),
    ]
    try:
        for name, value in changes[:-1]:
            changed = [*rows[:at], rows[at] | {name: value}, *rows[at + 1 :]]
            scores = engine.score(len(rows), *pack_rows(wanted, changed))
            assert set(scores.values) == {0.0}
        name, value = changes[-1]
        with pytest.raises(RowError, match="column 'small' is missing"):
            engine.score(1, *pack_rows(wanted, [rows[at] | {name: value}]))
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("big", 2**53 + 1, r"Row 1: column 'big' holds 9007199254740993, which is beyond 2\^53"),
        ("count", -(2**63), r"Row 1: column 'count' holds -9223372036854775808, which is beyond"),
        ("text", "a\0b", "Row 1: column 'text' holds a NUL"),
    ],
)
def test_what_r_cannot_hold_names_row_and_column(column: str, value: object, said: str) -> None:
    """Nothing is rounded and no text is cut."""
    wanted = Signature(inputs=(COLUMNS[column],), output=Output(name="y", type=ColumnType.FLOAT64))
    batch = pack_rows(wanted, [{column: None}, {column: value}])
    with pytest.raises(RowError, match=said) as caught:
        RFrames(wanted, {column: DTYPES[column]}).build(2, *batch)
    assert caught.value.column == column


def test_an_integer_too_large_for_r_s_integers_is_a_double(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """A version that saw small integers still predicts for a large one, as R would."""
    engine = REngine(r_versions("lm"), manifest_of("lm"), workers=1)
    rows = [{"a": 0.0, "b": 0.0, "small": small, "group": "grün"} for small in (0, 2**31, 2**32)]
    try:
        scores = engine.score(3, *pack_rows(signature("lm"), rows))
    finally:
        engine.close()
    low, high, higher = np.asarray(scores.values, dtype=np.float64)
    assert high - low == pytest.approx((higher - low) / 2)
    assert high - low == pytest.approx(2**31, rel=0.1)


def test_a_type_that_does_not_fit_is_told(r_versions: Callable[[str], Path]) -> None:
    """version.json must say what R saw."""
    with pytest.raises(LoadError, match=r"Input 'a' is a float64, which version.json gives the R"):
        REngine(r_versions("hazard"), manifest_of("hazard", dtypes={"a": "factor"}))
    with pytest.raises(LoadError, match="None instead of double"):
        REngine(r_versions("hazard"), manifest_of("hazard", dtypes={}))


# When R fails


def test_what_predict_raises_blames_one_row(hazard: REngine) -> None:
    """R's own message reaches the caller, UTF-8 and all, and names the row."""
    with pytest.raises(RError, match="no such luck: é"):
        score(hazard, 1, 888)
    wanted = signature("hazard")
    scorer = BatchScorer(hazard, wanted)
    packed = pack_rows(wanted, [{"a": float(v)} for v in (1, 2, 3, 888, 5)])
    request = FrameBuffer().feed(frames.encode_batch(5, 5, *packed))[0]
    (answer,) = FrameBuffer().feed(scorer.answer(request.request_id, request.body))
    assert answer.kind == Kind.ERROR
    error = frames.decode_error(answer.body)
    assert (error.row, error.message) == (3, "The model cannot score it: RError: no such luck: é")


def test_a_prediction_of_na_is_a_refusal(
    hazard: REngine, r_models: RModels, r_versions: Callable[[str], Path]
) -> None:
    """Nobody is answered with null; the row is named, and what it lacks."""
    with pytest.raises(RowError, match="Row 1: the model predicts nothing"):
        score(hazard, 1, 444)
    nullable = COLUMNS["a"].model_copy(update={"nullable": True})
    wanted = signature("lm").model_copy(update={"inputs": (nullable, *signature("lm").inputs[1:])})
    engine = REngine(r_versions("lm"), manifest_of("lm", signature=wanted), workers=1)
    rows = [*r_models.rows("lm")[:2], r_models.rows("lm")[2] | {"a": None}]
    try:
        with pytest.raises(RowError, match=r"Row 2: .*NA.* It lacks 'a'") as caught:
            engine.score(3, *pack_rows(wanted, rows))
        assert caught.value.column == "a"
    finally:
        engine.close()


def test_a_predict_that_answers_nonsense_is_told(hazard: REngine) -> None:
    """Too few predictions are no predictions."""
    with pytest.raises(RError, match="predict gave 1 numeric for 2 rows instead of 2 numbers"):
        score(hazard, 999, 1)


@pytest.mark.parametrize(("number", "how"), [(666, "by signal 9"), (667, "with exit code 3")])
def test_a_row_that_ends_r_is_found(hazard: REngine, number: int, how: str) -> None:
    """The worker is started again, and only that row is refused."""
    before = set(hazard.pids)
    with pytest.raises(RowError, match=f"R ended {how}") as caught:
        score(hazard, 1, 2, number, 4)
    assert caught.value.row == 2
    assert score(hazard, 1, 2, 4) == [1, 2, 4]
    assert len(before - set(hazard.pids)) == 1


def test_a_worker_that_somebody_kills_costs_nothing(hazard: REngine) -> None:
    """Its batch is sent again to a new one, and so is the next after an idle death."""
    for pid in hazard.pids:
        os.kill(pid, signal.SIGKILL)
    assert score(hazard, 1, 2) == [1, 2]
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(score, hazard, 555, 1)
        while not slow.running():
            pass
        for pid in hazard.pids:
            os.kill(pid, signal.SIGKILL)
        assert slow.result() == [555, 1]


def test_a_worker_that_hangs_is_ended(hazard: REngine) -> None:
    """After a time; meanwhile the other one answers."""
    with ThreadPoolExecutor(1) as threads:
        hangs = threads.submit(score, hazard, 1, 777)
        assert score(hazard, 1) == [1]
        assert not hangs.done()
        with pytest.raises(TimedOutError, match="R did not answer within 2 s"):
            hangs.result()
    assert score(hazard, 1, 2) == [1, 2]


def test_nothing_that_a_model_prints_reaches_the_log(
    hazard: REngine, capfd: pytest.CaptureFixture[str]
) -> None:
    """Calls must not be able to fill it."""
    score(hazard, 1)
    assert capfd.readouterr() == ("", "")


def test_a_closed_engine_scores_no_more(r_versions: Callable[[str], Path]) -> None:
    """Batches at hand end, also those that hang, and no R is left."""
    engine = REngine(r_versions("hazard"), manifest_of("hazard"), workers=1)
    pid = engine.pids[0]
    with ThreadPoolExecutor(1) as threads:
        hangs = threads.submit(score, engine, 777)
        while not hangs.running():
            pass
        engine.close()
        with pytest.raises(UnavailableError, match="ending"):
            hangs.result()
    with pytest.raises(TiltyardError, match="ending"):
        score(engine, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# What cannot be loaded


def spoiled(r_versions: Callable[[str], Path], into: Path, kind: str = "hazard") -> Path:
    """Return a copy of a version's folder to spoil."""
    return Path(shutil.copytree(r_versions(kind), into / "spoiled"))


def test_a_machine_without_r_says_what_to_install(
    r_versions: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the package."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        LoadError, match=r"no Rscript here: install R .*apt-get install r-base-core"
    ):
        load_engine("r", r_versions("hazard"), manifest_of("hazard"))


def test_a_version_without_a_model_file_is_refused(tmp_path: Path) -> None:
    """A Python version cannot be served by R."""
    with pytest.raises(LoadError, match=r"has no model.rds"):
        load_engine("r", tmp_path, manifest_of("hazard"))


def test_r_s_own_message_tells_why_a_file_cannot_be_loaded(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """A broken file, helper code that fails, and one that ends R."""
    folder = spoiled(r_versions, tmp_path)
    (folder / "code").mkdir()
    for text, said in (
        ("stop('not today')", "R cannot load this version: not today"),
        ("f <- function( {", "unexpected '{'"),
        ("quit(status = 4)", "R ended with exit code 4"),
    ):
        (folder / "code" / "helper.R").write_text(text)
        with pytest.raises(LoadError, match=said):
            REngine(folder, manifest_of("hazard"), workers=2)
    (folder / "model.rds").write_bytes(b"no such format")
    with pytest.raises(LoadError, match="unknown input format"):
        REngine(folder, manifest_of("hazard"), workers=1)


def test_a_package_that_is_not_here_is_named_as_debian_names_it(
    r_versions: Callable[[str], Path], tmp_path: Path
) -> None:
    """Nothing is said of packages that are."""
    folder = spoiled(r_versions, tmp_path)
    made = 'saveRDS(list(format = 1L, packages = c("stats", "No.Such")), commandArgs(TRUE))'
    run_r(made, folder / "model.rds")
    with pytest.raises(
        LoadError, match=r"not here: No\.Such\. .*apt-get install r-cran-no\.such\)"
    ):
        REngine(folder, manifest_of("hazard"), workers=1)


def test_cpus_are_those_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit below the machine's CPUs counts, in both versions of control groups."""
    here = len(os.sched_getaffinity(0))
    two, one = tmp_path / "cpu.max", (tmp_path / "quota", tmp_path / "period")
    monkeypatch.setattr(cpus, "_V2", two)
    monkeypatch.setattr(cpus, "_V1", one)
    assert cpus.allowed_cpus() == here
    for text, expected in (("max 100000", here), ("50000 100000", 1), ("9900000 100000", here)):
        two.write_text(text)
        assert cpus.allowed_cpus() == expected
    two.unlink()
    one[1].write_text("100000\n")
    for text, expected in (("-1\n", here), ("100000\n", 1)):
        one[0].write_text(text)
        assert cpus.allowed_cpus() == expected
