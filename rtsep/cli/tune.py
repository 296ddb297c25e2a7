"""`rtsep tune`: the settings that separate best, by trying many on synthetic mixtures."""

import json
import multiprocessing
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.learn import Role, own_command, refuse_inputs
from rtsep.cli.options import Json, Latency, load_kernels, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtsep.artefacts.basis import Basis
    from rtsep.learn.outcome import Outcome
    from rtsep.learn.tune import Question, Sounds

STEP = 0.2  # s between two looks at the children's trials


def separated(
    samples: "NDArray[np.float32]", rate: int, model: "Basis", latency: str
) -> "dict[str, NDArray[np.float32]]":
    """The stems of the stream, as a user will hear them."""
    import rtsep

    stems: dict[str, NDArray[np.float32]] = rtsep.separate(samples, rate, model, latency=latency)
    return stems


def tell(trial: Any, count: int, trials: int) -> None:
    """One line for a finished trial."""
    short = trial.state.name == "PRUNED"
    figure = "cut short" if short or trial.value is None else f"{trial.value:.2f} dB"
    values = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in trial.params.values())
    say(f"{count}/{trials}  trial {trial.number}: {figure}  {' '.join(values)}")


def run_children(
    folder: Path, question: "Question", sounds: "Sounds", trials: int, workers: int
) -> None:
    """Trials in so many processes, told as they finish."""
    from rtsep.learn.study import finished, load, work_in_child

    context, study = multiprocessing.get_context("spawn"), load(folder)
    told = len(finished(study))
    children = [
        context.Process(
            target=work_in_child,
            args=(folder, question, sounds, separated, trials, unheard, worker),
        )
        for worker in range(workers)
    ]
    try:
        for child in children:
            child.start()
        while any(child.is_alive() for child in children):
            time.sleep(STEP)
            done = sorted(finished(study), key=lambda trial: trial.datetime_complete)
            for at, trial in enumerate(done[told:], told + 1):
                tell(trial, at, trials)
            told = len(done)
        if told < trials and (lost := [c.exitcode for c in children if c.exitcode]):
            raise ChildProcessError(
                f"{len(lost)} of {workers} workers failed (exit code {lost[0]}) after {told} of "
                f"{trials} trials"
            )
    finally:
        for child in children:
            child.terminate()
            child.join()


def unheard(trial: Any, count: int) -> None:
    """The parent tells."""


def run_trials(
    folder: Path, question: "Question", sounds: "Sounds", trials: int, workers: int
) -> None:
    """Trials until so many are finished, or Ctrl-C, which keeps those that are."""
    from rtsep.learn.study import work

    try:
        if workers > 1:
            run_children(folder, question, sounds, trials, workers)
        else:
            work(folder, question, sounds, separated, trials, lambda t, n: tell(t, n, trials))
    except KeyboardInterrupt:
        say("stopped: the best so far is kept")


def report(found: "Outcome", target: Path, as_json: bool) -> None:
    figures = {
        "path": str(target), "report": str(target.with_suffix(".md")), "tuning_db": found.tuned,
        "test_db": found.test, "default_test_db": found.default, "trials": found.trials,
        "cut_short": found.cut, "settings": found.settings,
    }  # fmt: skip
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{target}: {found.test:.2f} dB on test mixtures, {found.default:.2f} dB by default")
    print("  " + ", ".join(f"{name} {value}" for name, value in found.settings.items()))
    print(f"  {target.with_suffix('.md')}: the report")


def refuse_numbers(trials: int, workers: int) -> None:
    for name, value, most in (("--trials", trials, 100_000), ("--workers", workers, 256)):
        if not 1 <= value <= most:
            raise ValueError(f"{name} {value} is outside 1..{most}")


def tune(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="IN...", help="Recordings of the sound, or folders of them."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write, .npz.")],
    against: Annotated[
        list[Path], typer.Option(help="Recordings of what it is mixed with; repeatable.")
    ],
    study: Annotated[
        Path | None, typer.Option(help="Folder that keeps the trials. [OUTPUT with suffix .study]")
    ] = None,
    trials: Annotated[
        int, typer.Option(help="Trials in all, those of earlier runs included.")
    ] = 40,
    workers: Annotated[int, typer.Option(help="Processes at once.")] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the model. [the file's]")] = None,
    source: Annotated[str | None, typer.Option(help="Sound it models. [the name]")] = None,
    role: Annotated[Role, typer.Option(help="What to do with the sound.")] = Role.remove,
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method to try: nmf, asvd or mdnmf; repeatable. [nmf, asvd]"),
    ] = None,
    latency: Annotated[
        list[Latency] | None, typer.Option(help="Latency mode to try; repeatable. [high]")
    ] = None,
    snr: Annotated[
        list[float] | None,
        typer.Option(help="Level of IN over --against, in dB; repeatable. [-5, 0, 5]"),
    ] = None,
    mixtures: Annotated[int, typer.Option(help="Mixtures to tune on; as many again to test.")] = 6,
    seconds: Annotated[float, typer.Option(help="Length of each mixture.")] = 4.0,
    rate: Annotated[
        int | None, typer.Option(help="Sample rate in Hz. [the recordings' highest]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of excerpts and trials.")] = 0,
    json_: Json = False,
) -> None:
    """Find the best settings for a sound.

    Tries many on mixtures of it with another sound, and writes the best model and a report.  If
    it is stopped or killed, run the same command again: no finished trial is lost.
    """
    refuse_inputs(output, sources)
    refuse_numbers(trials, workers)
    from rtsep.learn.outcome import markdown, outcome
    from rtsep.learn.study import finished, in_use, open_study, optuna
    from rtsep.learn.tune import TUNED, Question, corpora, prepare

    optuna()
    pair = corpora(sources, against, say)
    question = Question(
        role.value,
        max(each.rate for corpus in pair for each in corpus) if rate is None else rate,
        tuple(method or TUNED),
        tuple(each.value for each in latency or [Latency.high]),
        tuple(snr or Question.snrs),
        count=mixtures, seconds=seconds, seed=seed,
        files=tuple(each.name for corpus in pair for each in corpus),
    )  # fmt: skip
    folder = study or output.with_suffix(".study")
    folder.mkdir(exist_ok=True)
    command, called = own_command(), name or output.stem
    with in_use(folder):
        opened = open_study(folder, question)
        if earlier := len(finished(opened)):
            say(f"{folder}: {earlier} trials are finished, going on to {trials}")
        sounds = prepare(question, pair, folder)
        load_kernels()
        run_trials(folder, question, sounds, trials, workers)
        found = outcome(
            opened, question, sounds, separated,
            name=called, source=source or called, command=command,
        )  # fmt: skip
    write(found, output, markdown(found, question, command))
    report(found, output, json_)


def write(found: "Outcome", target: Path, words: str) -> None:
    """The model and beside it the report, each whole or not at all."""
    from rtsep.artefacts.library import save
    from rtsep.artefacts.whole import write_whole

    save(target, found.basis)
    write_whole(target.with_suffix(".md"), lambda file: file.write(words.encode()))
