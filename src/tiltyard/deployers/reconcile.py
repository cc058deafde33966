"""Makes what runs equal to what control has recorded.

The loop of ``tiltyard up``: it starts the scorers of live deployments, probes every new scorer
before the deployment counts as healthy, tells control the outcome, and stops what was retired.
While control is away everything that runs goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tiltyard.client.control import ControlClient
from tiltyard.containers.images import ImageAwayError, NotRecordedError
from tiltyard.deployers.base import Deployer, ReplicaStatus
from tiltyard.deployers.probing import NotListeningError, Probes, Question
from tiltyard.errors import IntegrityError, TiltyardError, UnavailableError
from tiltyard.types.registry import Deployment, DeploymentState, Version

logger = logging.getLogger(__name__)

STARTS_BEFORE_FAILED = 3
STARTS_BEFORE_ALARM = 5
REASON_CHARACTERS = 2_000
_SENTENCE = "error: "
_RUN = {DeploymentState.STARTING, DeploymentState.HEALTHY, DeploymentState.FAILED}


class Probe(Protocol):
    """Asks a scorer who it is and to repeat the golden rows."""

    def __call__(self, endpoint: str, folder: Path) -> str | None:
        """Return why the scorer is refused; None if it is as it must be.

        Raises:
            NotListeningError: it does not listen yet.
        """


@dataclass(frozen=True)
class Outcome:
    """What became of a deployment, to be told to control until it knows."""

    state: DeploymentState
    reason: str | None = None
    told: bool = False


class Reconciler:
    """Reconciles the deployments of one runtime.

    Args:
        client: of control, as an operator.
        folder_of: gives the folder of a version, read-only.
        refused_exits: exit codes by which a scorer says that it is not what it must be.
        poll_s: seconds between two looks.
        patience_s: a scorer that has never answered is given up after so many seconds.
    """

    def __init__(
        self,
        client: ControlClient,
        deployer: Deployer,
        probe: Probe,
        folder_of: Callable[[Version], Path],
        *,
        runtime: str = "process",
        refused_exits: frozenset[int],
        poll_s: float = 0.3,
        patience_s: float = 300.0,
    ) -> None:
        self._client = client
        self._deployer = deployer
        self._probes = Probes(probe)
        self._folder_of = folder_of
        self._runtime = runtime
        self._refused_exits = refused_exits
        self._poll_s = poll_s
        self._patience_s = patience_s
        self._told_trouble: str | None = None
        self._warned: dict[str, str] = {}  # deployment → what was logged last
        self._kept: set[str] = set()  # healthy once, and tried for ever
        self._waiting: dict[tuple[str, int], float] = {}  # (deployment, replica) → since
        self._recorded: list[Deployment] = []
        self._versions: dict[str, Version] = {}
        self._trusted: dict[str, dict[int, int]] = {}  # deployment → replica → run
        self._outcomes: dict[str, Outcome] = {}
        self._away = False
        self.settled = threading.Event()
        """Set when every wanted deployment was once healthy or given up."""

    def run(self, stop: threading.Event) -> None:
        """Reconcile until ``stop`` is set."""
        while not stop.wait(self._poll_s):
            try:
                self.step(stop)
            except Exception:  # whatever it is, scorers must be seen to
                logger.exception("A step failed; it is tried again")

    def step(self, stop: threading.Event | None = None) -> None:
        """Compare once and do what is missing."""
        self._look()
        wanted = [d for d in self._recorded if self._is_wanted(d)]
        if (trouble := self._trouble()) is not None:
            self._explain(wanted, trouble)
            return
        for gone in self._deployer.running() - {d.id for d in wanted}:
            self._attempt_stop(gone)
        for deployment in wanted:
            self._attempt(self._start, deployment)
        for deployment in wanted:
            if stop is None or not stop.is_set():
                self._attempt(self._judge, deployment)
        for deployment in self._recorded:
            self._attempt(self._tell, deployment)
        if not self._away and all(d.id in self._outcomes for d in wanted):
            self.settled.set()

    def _look(self) -> None:
        try:
            recorded = self._client.deployments()
        except TiltyardError as error:
            if not self._away:
                logger.warning("Deployments stay as they are: %s", error)
            self._away = True
            return
        self._away = False
        self._recorded = [d for d in recorded if d.runtime == self._runtime]

    def _trouble(self) -> str | None:
        """Return why nothing can be started, stopped or seen now; None if all is well."""
        try:
            self._deployer.look()
        except UnavailableError as error:
            if self._told_trouble != error.message:
                logger.warning("Deployments cannot be seen to: %s", error)
            self._told_trouble = error.message
            return error.message
        self._told_trouble = None
        return None

    def _explain(self, wanted: list[Deployment], trouble: str) -> None:
        """Tell those who wait for a deployment what it waits for."""
        for deployment in wanted:
            if deployment.state is DeploymentState.STARTING and deployment.reason != trouble:
                self._attempt(lambda d: self._reason(d, trouble), deployment)

    def _reason(self, deployment: Deployment, reason: str) -> None:
        self._client.set_deployment(deployment.id, deployment.state, reason)

    def _is_wanted(self, deployment: Deployment) -> bool:
        outcome = self._outcomes.get(deployment.id)
        if outcome and outcome.told and deployment.state is DeploymentState.STARTING:
            del self._outcomes[deployment.id]  # asked for anew
            return True
        given_up = outcome is not None and outcome.state is not DeploymentState.HEALTHY
        kept = self._trusted.get(deployment.id) or deployment.id in self._kept
        if given_up and not kept:
            return False
        return deployment.state in _RUN and not self._is_replaced(deployment)

    def _is_replaced(self, deployment: Deployment) -> bool:
        """Whether a failed one was deployed anew."""
        if deployment.state is not DeploymentState.FAILED:
            return False
        key = (deployment.model, deployment.version)
        after = self._recorded[self._recorded.index(deployment) + 1 :]
        return key in {(d.model, d.version) for d in after}

    def _attempt(self, action: Callable[[Deployment], None], deployment: Deployment) -> None:
        try:
            action(deployment)
        except (TiltyardError, OSError) as error:
            if self._warned.get(deployment.id) != str(error):
                logger.warning("Deployment %s: %s", deployment.id, error)
            self._warned[deployment.id] = str(error)

    def _start(self, deployment: Deployment) -> None:
        if deployment.id not in self._versions:
            version = self._client.version(deployment.model, deployment.version)
            self._versions[deployment.id] = version
            if deployment.state is DeploymentState.HEALTHY:  # as an earlier reconciler has found
                self._kept.add(deployment.id)
        folder = self._folder_of(self._versions[deployment.id])
        if not folder.is_dir() and deployment.id not in self._deployer.running():
            self._give_up(deployment.id, DeploymentState.FAILED, f"{folder} is not there.")
            return
        try:
            self._deployer.ensure(deployment, folder)
        except (NotRecordedError, ImageAwayError, IntegrityError) as error:
            self._cannot_start(deployment, error.message)
        except UnavailableError as error:
            self._explain([deployment], error.message)
            raise

    def _cannot_start(self, deployment: Deployment, reason: str) -> None:
        """Give up what never ran; what was healthy once is tried for ever."""
        if deployment.state is DeploymentState.STARTING:
            self._give_up(deployment.id, DeploymentState.FAILED, reason)
        elif self._outcomes.get(deployment.id) is None or self._healthy(deployment):
            logger.warning("Deployment %s: %s", deployment.id, reason)
            self._kept.add(deployment.id)
            self._outcomes[deployment.id] = Outcome(DeploymentState.FAILED, reason)

    def _healthy(self, deployment: Deployment) -> bool:
        return self._outcomes[deployment.id].state is DeploymentState.HEALTHY

    def _judge(self, deployment: Deployment) -> None:
        if deployment.id not in self._versions:
            return
        replicas = self._deployer.status(deployment.id)
        self._probes.ask(self._questions(deployment, replicas))
        for number, replica in enumerate(replicas):
            self._judge_replica(deployment, number, replica)
            if deployment.id not in self._deployer.running():
                return
        trusted = self._trusted.get(deployment.id, {})
        if replicas and all(trusted.get(n) == r.run for n, r in enumerate(replicas)):
            self._outcomes[deployment.id] = Outcome(DeploymentState.HEALTHY)

    def _questions(
        self, deployment: Deployment, replicas: list[ReplicaStatus]
    ) -> Iterator[tuple[Question, str, Path]]:
        """Give what is to be asked of the replicas that were started since they were trusted."""
        trusted = self._trusted.get(deployment.id, {})
        folder = self._folder_of(self._versions[deployment.id])
        for number, replica in enumerate(replicas):
            if replica.running and trusted.get(number) != replica.run:
                yield Question(deployment.id, number, replica.run), replica.endpoint, folder

    def _judge_replica(self, deployment: Deployment, number: int, replica: ReplicaStatus) -> None:
        trusted = self._trusted.setdefault(deployment.id, {})
        if trusted.get(number) == replica.run and replica.running:
            return
        if replica.running:
            self._take_answer(deployment, number, replica)
            return
        once = number in trusted or deployment.id in self._kept
        if replica.exit_code in self._refused_exits and not once:
            self._give_up(deployment.id, DeploymentState.REFUSED, self._why(deployment, number))
            return
        self._count_ends(deployment, number, replica)

    def _take_answer(self, deployment: Deployment, number: int, replica: ReplicaStatus) -> None:
        question = Question(deployment.id, number, replica.run)
        if self._probes.pending(question):
            self._wait(deployment, number)
            return
        try:
            refusal = self._probes.answer(question)
        except NotListeningError:
            self._wait(deployment, number)
            return
        self._waiting.pop((deployment.id, number), None)
        if refusal is None:
            self._trusted[deployment.id][number] = replica.run
        else:
            self._give_up(deployment.id, DeploymentState.REFUSED, refusal)

    def _wait(self, deployment: Deployment, number: int) -> None:
        """Give up a scorer that runs and never listens."""
        since = self._waiting.setdefault((deployment.id, number), time.monotonic())
        trusted = self._trusted.get(deployment.id, {})
        never = number not in trusted and deployment.id not in self._kept
        if never and time.monotonic() - since > self._patience_s:
            reason = f"It loads for more than {self._patience_s:g} s.\n"
            reason += self._why(deployment, number)
            self._give_up(deployment.id, DeploymentState.FAILED, reason)

    def _count_ends(self, deployment: Deployment, number: int, replica: ReplicaStatus) -> None:
        """A scorer that never came up is given up; one that did is tried for ever, and told."""
        if number in self._trusted.get(deployment.id, {}) or deployment.id in self._kept:
            if replica.early_ends >= STARTS_BEFORE_ALARM:
                reason = self._why(deployment, number)
                self._outcomes[deployment.id] = Outcome(DeploymentState.FAILED, reason)
        elif replica.early_ends >= STARTS_BEFORE_FAILED:
            self._give_up(deployment.id, DeploymentState.FAILED, self._why(deployment, number))

    def _why(self, deployment: Deployment, number: int) -> str:
        lines = self._deployer.tail(deployment.id, number).splitlines()
        if lines and lines[-1].startswith(_SENTENCE):
            return _plain(lines[-1].removeprefix(_SENTENCE))
        return _plain("\n".join(lines[-5:])) or "Its scorer ended without a word."

    def _give_up(self, deployment_id: str, state: DeploymentState, reason: str) -> None:
        logger.warning("Deployment %s is %s: %s", deployment_id, state, reason)
        self._stop(deployment_id)
        self._outcomes[deployment_id] = Outcome(state, reason)

    def _stop(self, deployment_id: str) -> None:
        self._deployer.stop(deployment_id)
        self._probes.forget(deployment_id)
        self._trusted.pop(deployment_id, None)
        self._versions.pop(deployment_id, None)
        self._outcomes.pop(deployment_id, None)
        self._warned.pop(deployment_id, None)
        for key in [k for k in self._waiting if k[0] == deployment_id]:
            del self._waiting[key]

    def _attempt_stop(self, deployment_id: str) -> None:
        try:
            self._stop(deployment_id)
            self._kept.discard(deployment_id)
        except TiltyardError as error:  # tried again at the next step
            logger.warning("Deployment %s cannot be stopped: %s", deployment_id, error)

    def _tell(self, deployment: Deployment) -> None:
        outcome = self._outcomes.get(deployment.id)
        if outcome is None or self._away or deployment.state is DeploymentState.RETIRED:
            return
        if outcome.state is not deployment.state:
            changed = self._client.set_deployment(deployment.id, outcome.state, outcome.reason)
            self._recorded = [changed if d.id == changed.id else d for d in self._recorded]
        if not outcome.told:
            self._outcomes[deployment.id] = Outcome(outcome.state, outcome.reason, told=True)


def _plain(text: str) -> str:
    """Return what a model's code wrote as text that may be shown: short, without escapes."""
    shown = "".join(c for c in text if c.isprintable() or c == "\n")
    return shown if len(shown) <= REASON_CHARACTERS else f"{shown[:REASON_CHARACTERS]} …"
