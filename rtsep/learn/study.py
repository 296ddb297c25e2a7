"""A study: all trials of a search in one folder, which any end of the process leaves whole.

trials.sqlite holds the trials, in-use.sqlite the lock of whoever runs them, sounds-*.npz what
they hear.  SQLite's own journal and locks outlive a kill: a finished trial stays, an unfinished
one is tried again, and a lock goes with the process that holds it.
"""

import logging
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from rtsep.learn.tune import (
    Question,
    Separate,
    Settings,
    Sounds,
    default,
    improvement,
    learned,
    suggest,
)

LAYOUT = 1
NAME = "rtsep"
WARM_UP = 5  # trials before the first may be cut short
Told = Callable[[Any, int], None]  # a finished trial, how many are finished


def optuna() -> Any:
    """The package, quiet; ImportError says what installs it."""
    try:
        import optuna as package
    except ImportError:
        raise ImportError(
            "optuna is not installed: pip install 'rtsep[tune]'", name="optuna"
        ) from None
    package.logging.set_verbosity(logging.ERROR)
    return package


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep other processes from running the study; BlockingIOError where one does."""
    connection = sqlite3.connect(folder / "in-use.sqlite", timeout=1, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.OperationalError as error:
        raise BlockingIOError(
            f"study {folder} cannot be locked ({error}): is it running?"
        ) from None
    finally:
        connection.close()


def open_study(folder: Path, question: Question) -> Any:
    """The study of a folder, begun if there is none; ValueError for another question or layout.

    Call it under `in_use`: trials that an end of the process has cut off are queued again.
    """
    study = load(folder, create=True)
    asked, layout = study.user_attrs.get("question"), study.user_attrs.get("layout")
    if layout is None and not study.get_trials(deepcopy=False):
        study.set_user_attr("question", asdict(question))
        study.set_user_attr("layout", LAYOUT)
        study.enqueue_trial(default(question), user_attrs={"default": True})
    elif layout != LAYOUT:
        raise ValueError(f"study {folder} has layout {layout} (this rtsep: {LAYOUT})")
    elif differences := question.differences(asked):
        raise ValueError(f"study {folder} is another's: {'; '.join(differences)}")
    _queue_again(study)
    return study


def load(folder: Path, *, create: bool = False) -> Any:
    """The study as optuna has it; ValueError for a file that optuna cannot read."""
    package = optuna()
    from sqlalchemy.exc import DBAPIError

    path = folder / "trials.sqlite"
    try:
        storage = package.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        return package.create_study(
            storage=storage, study_name=NAME, direction="maximize", load_if_exists=True
        ) if create else package.load_study(storage=storage, study_name=NAME)  # fmt: skip
    except (RuntimeError, DBAPIError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise ValueError(
            f"study {path} cannot be read by optuna {package.__version__}: {reason}"
        ) from None


def finished(study: Any) -> list[Any]:
    """Trials that are done, in order, those cut short included."""
    states = optuna().trial.TrialState
    trials = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
    return list(trials)


def completed(study: Any) -> list[Any]:
    """Trials with a value, best first."""
    states = optuna().trial.TrialState
    trials = study.get_trials(deepcopy=False, states=(states.COMPLETE,))
    return sorted(trials, key=lambda trial: -trial.value)


def work(
    folder: Path,
    question: Question,
    sounds: Sounds,
    separate: Separate,
    trials: int,
    told: Told = lambda trial, count: None,
    worker: int = 0,
) -> None:
    """Try until `trials` are finished in the study, whoever finishes them."""
    package, study = optuna(), load(folder)
    done = len(finished(study))
    study.sampler = package.samplers.TPESampler(
        seed=question.seed + 1000 * done + worker, constant_liar=True, n_startup_trials=8
    )
    study.pruner = package.pruners.MedianPruner(n_startup_trials=WARM_UP, n_warmup_steps=1)

    def ended(study: Any, trial: Any) -> None:
        count = len(finished(study))
        told(trial, count)
        if count >= trials:
            study.stop()

    if done < trials:
        tried = _objective(package, question, sounds, separate)
        study.optimize(tried, callbacks=[ended])


def work_in_child(*arguments: Any) -> None:
    """`work` in a process that does not outlive its parent, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    work(*arguments)


def _objective(
    package: Any, question: Question, sounds: Sounds, separate: Separate
) -> Callable[[Any], float]:
    def objective(trial: Any) -> float:
        settings: Settings = suggest(trial, question)

        def report(value: float, step: int) -> None:
            trial.report(value, step)
            if step + 1 < len(sounds.tuning) and trial.should_prune():
                raise package.TrialPruned

        try:
            basis = learned(settings, sounds, question)
        except ValueError as error:
            trial.set_user_attr("reason", str(error))
            raise package.TrialPruned from None
        latency = settings["latency"]
        return improvement(basis, sounds.tuning, question.rate, latency, separate, report)

    return objective


def _queue_again(study: Any) -> None:
    states = optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
        if params := trial.params or trial.system_attrs.get("fixed_params"):
            study.enqueue_trial(params, user_attrs=trial.user_attrs)
