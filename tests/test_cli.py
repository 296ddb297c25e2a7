"""The command line as a user meets it: each command in a process of its own."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from command_line import RTSEP, one_line, process, refused, rtsep

from models import babble, model, noise
from rtsep.artefacts.library import save

HEAVY = {"numba", "llvmlite", "numpy", "scipy", "soundfile", "sounddevice", "rich", "onnxruntime"}

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Neither this machine's models nor its sound server are in play."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER", "PIPEWIRE_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def noisy(tmp_path):
    sf.write("noisy.wav", babble(40000), 16000, subtype="PCM_16")
    return "noisy.wav"


@pytest.fixture
def fan(tmp_path):
    save("fan.npz", model("fan"))
    return "fan.npz"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["live", "--help"]])
def test_help_and_version_load_nothing_heavy(words):
    script = f"import sys; sys.argv[1:] = {words}; sys.argv[0] = 'rtsep'\n"
    script += "from rtsep.cli.main import run\ntry: run()\nexcept SystemExit: pass\n"
    script += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "rtsep" in done.stdout
    assert not HEAVY.intersection(done.stderr.split())


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    assert rtsep("--version").stdout == f"rtsep {version('rtsep')}\n"


@pytest.mark.parametrize("words", [["denoise"], ["nonsense"], ["live", "--nonsense"]])
def test_wrong_usage_is_exit_code_2(words):
    rtsep(*words, code=2)


def test_denoise_reports_what_it_wrote(noisy, fan):
    words = ["denoise", noisy, "out.wav", "--model", fan, "--stems", "stems", "--json"]
    report = json.loads(rtsep(*words).stdout)
    assert report["kept"] == ["unknown"]
    assert report["sources"] == ["fan", "unknown"]
    assert [each["path"] for each in report["outputs"]] == [
        os.path.abspath(path) for path in ("out.wav", "stems/fan.wav", "stems/unknown.wav")
    ]
    assert {each["length"] for each in report["outputs"]} == {40000}
    assert "48000 Hz" in report["note"]
    x = sf.read(noisy)[0]
    stems = sum(sf.read(f"stems/{name}.wav")[0] for name in report["sources"])
    assert np.abs(stems - x).max() <= 1e-6
    assert sf.info("out.wav").subtype == "PCM_16"


def test_denoise_tells_in_words_what_it_wrote(noisy, fan):
    done = rtsep("denoise", noisy, "out.flac", "-m", fan)
    assert "out.flac: unknown, 2.50 s, FLAC PCM_16" in done.stdout
    assert "mapped to 16000 Hz" in done.stderr


def test_a_file_that_ends_early_is_denoised_and_told(noisy, fan):
    contents = Path(noisy).read_bytes()
    Path("cut.wav").write_bytes(contents[:-20000])
    assert "ends early" not in rtsep("denoise", noisy, "out.wav", "-m", fan).stderr
    done = rtsep("denoise", "cut.wav", "out.wav", "-m", fan)
    told = "cut.wav ends early: its header tells of 40000 samples, it holds 30000"
    assert told in done.stderr.splitlines()
    assert sf.info("out.wav").frames == 30000


def test_a_folder_is_denoised_file_by_file(fan):
    rates = {"a.wav": 16000, "c.wav": 16000, "deep/b.flac": 8000}
    Path("field/deep").mkdir(parents=True)
    for place, rate in rates.items():
        sf.write(f"field/{place}", babble(20000), rate)
    Path("field/notes.txt").write_text("no sound")
    done = rtsep("denoise", "field", "clean", "-m", fan, "--stems", "stems", "--json")
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["input"] for each in reports] == [f"field/{place}" for place in rates]
    assert sum(path.is_file() for path in Path("clean").rglob("*")) == len(rates)
    for place in rates:
        alone = f"alone{Path(place).suffix}"
        rtsep("denoise", f"field/{place}", alone, "-m", fan)
        assert np.array_equal(sf.read(f"clean/{place}")[0], sf.read(alone)[0])
        stems = sum(sf.read(f"stems/{place}/{name}.wav")[0] for name in ("fan", "unknown"))
        assert np.abs(stems - sf.read(f"field/{place}")[0]).max() <= 1e-6


def test_a_file_that_cannot_be_denoised_is_left_out_of_a_folder(noisy, fan):
    Path("field").mkdir()
    Path("field/a.wav").write_bytes(b"not a sound")
    Path("field/b.wav").write_bytes(Path(noisy).read_bytes())
    done = rtsep("denoise", "field", "clean", "-m", fan, "--json", code=2)
    broken, whole = map(json.loads, done.stdout.splitlines())
    assert "a.wav is not a sound file" in broken["error"]
    assert whole["outputs"][0]["path"] == os.path.abspath("clean/b.wav")
    assert done.stderr.splitlines()[-1] == "rtsep: 1 of 2 files left out"
    assert [each.name for each in Path("clean").iterdir()] == ["b.wav"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["field/clean"], "lies in the input field"),
        (["field"], "lies in the input field"),
        (["clean", "--stems", "field/stems"], "lies in the input field"),
        (["{noisy}"], "is a file, the input field a folder"),
        (["clean", "--stems", "./clean"], "clean and clean are one folder"),
        (["clean", "-m", "nothing"], "nothing: no such model"),
        (["clean", "--set", "wind=1"], "wind"),
        (["clean", "--keep", "wind"], "no source 'wind'"),
    ],
)
def test_what_no_file_of_a_folder_can_do_is_refused_at_once(noisy, fan, words, reason):
    Path("field").mkdir()
    for name in "ab":
        Path(f"field/{name}.wav").write_bytes(Path(noisy).read_bytes())
    given = ["denoise", "field", *(word.format(noisy=noisy) for word in words)]
    assert reason in refused(*given, *([] if "-m" in words else ["-m", fan]))
    assert sorted(each.name for each in Path().rglob("*.wav")) == ["a.wav", "b.wav", noisy]


def test_an_empty_folder_is_refused(fan):
    Path("field").mkdir()
    assert "no sound file in it" in refused("denoise", "field", "clean", "-m", fan)
    assert not Path("clean").exists()


def test_sound_goes_into_a_file_alone(noisy, fan):
    for words in (["denoise", noisy, "-"], ["live", "--input-file", noisy, "--output-file", "-"]):
        assert "output '-'" in refused(*words, "-m", fan)
    assert not Path("-").exists()


def test_options_reach_the_engine(noisy, fan):
    rtsep("denoise", noisy, "none.wav", "-m", fan, "--strength", 0)
    assert np.array_equal(sf.read("none.wav")[0], sf.read(noisy)[0])
    rtsep("denoise", noisy, "limited.wav", "-m", fan, "--max-attenuation", 6, "--latency", "low")
    rtsep("denoise", noisy, "full.wav", "-m", fan, "--latency", "low")
    rtsep("denoise", noisy, "fan.wav", "-m", fan, "--latency", "low", "--keep", "fan")
    rtsep(
        "denoise", noisy, "silent.wav", "-m", fan, "--set", "fan.mute=1", "--set", "unknown.mute=1"
    )
    levels = {name: np.std(sf.read(f"{name}.wav")[0]) for name in ("limited", "full", "fan")}
    assert levels["full"] < levels["limited"]
    assert not np.array_equal(sf.read("fan.wav")[0], sf.read("full.wav")[0])
    assert np.abs(sf.read("silent.wav")[0][4000:]).max() < 1e-3


def test_a_seed_that_is_none_is_refused_at_once():
    for words in (
        ["learn", "x.wav"],
        ["tune", "x", "--against", "y"],
        ["train", "nes", "--observed", "x"],
    ):
        done = rtsep(*words, "-o", "fan.npz", "--seed", "-1", code=2)
        assert "'--seed'" in done.stderr


ORDER = """
import sys
import rtsep.dsp.kernel
rtsep.dsp.kernel.is_compiled = lambda: False
class Told:
    def find_spec(name, *_):
        if name == "rtsep.engine.engine":
            print("here it takes a while", file=sys.stderr)
sys.meta_path.insert(0, Told)
from rtsep.cli.main import run
run()
"""


@pytest.mark.parametrize(
    "words",
    [
        ["denoise", "noisy.wav", "out.wav"],
        ["live", "--input-file", "noisy.wav", "--seconds", "0.1"],
    ],
)
def test_that_it_compiles_is_said_before(noisy, words):
    ran = subprocess.run(
        [sys.executable, "-c", ORDER, *words, "-m", "bypass"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    first, second, *_ = ran.stderr.splitlines()
    assert first.startswith("compiling for this processor")
    assert second == "here it takes a while"


@pytest.mark.parametrize(
    "words",
    [
        ["devices"],
        ["live", "--input", "no such device"],
        ["learn", "--live", "1", "--input", "no such device", "-o", "fan.npz"],
    ],
)
def test_devices_are_looked_for_before_anything_is_compiled(words):
    ran = subprocess.run(
        [sys.executable, "-c", ORDER, *words], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 2 or words == ["devices"], ran.stderr
    assert "here it takes a while" not in ran.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_a_closed_stream_is_a_silent_one(noisy, closed):
    words = f"{sys.executable} -m rtsep.cli denoise {noisy} out.wav -m rain --json {closed}"
    ran = subprocess.run(words, shell=True, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert sf.info("out.wav").frames == 40000
    if closed == "2>&-":
        assert json.loads(ran.stdout)["kept"] == ["unknown"]


READY = """
import os
from rtsep.cli.main import ready_streams
ready_streams()
for number in range(3):
    os.fstat(number)
"""


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(closed):
    subprocess.run(f'{sys.executable} -c "{READY}" {closed}', shell=True, check=True)


def test_a_letter_that_standard_output_lacks_is_escaped(noisy):
    done = process(
        "denoise", noisy, "\xfc.wav", "-m", "bypass", env={"PYTHONIOENCODING": "ascii:strict"}
    )
    assert (done.returncode, Path("\xfc.wav").exists()) == (0, True), done.stderr
    assert "\\xfc.wav: all" in done.stdout


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("This is no sound.\n" * 100)


def zero_length(path):
    sf.write(path, np.zeros(0), 16000)


def many_channels(path):
    sf.write(path, np.zeros((100, 500)), 16000)


def rate_of_zero(path):
    sf.write(path, np.zeros(100), 16000)
    header = bytearray(path.read_bytes())
    header[24:28] = struct.pack("<I", 0)
    path.write_bytes(header)


def rate_of_a_megahertz(path):
    sf.write(path, np.zeros(100), 1000000)


def not_a_number(path):
    x = noise(40000)
    x[1234] = np.nan
    sf.write(path, x, 16000, subtype="FLOAT")


def at_the_scale_of_integers(path):
    sf.write(path, 32767 * babble(4000), 16000, subtype="FLOAT")


def folder(path):
    path.mkdir()


def nothing(path):
    pass


BAD_SOUND = {
    empty: "is empty (0 bytes)",
    text: "not a sound file",
    zero_length: "(length 0)",
    many_channels: "500 channels, outside 1..8",
    rate_of_zero: "",
    rate_of_a_megahertz: "1000000 Hz, outside 8000..192000",
    not_a_number: "nan at sample 1234 (0.077 s), channel 1",
    at_the_scale_of_integers: "(full scale is 1, at most 1000)",
    folder: "in.wav: Is a directory",
    nothing: "in.wav: No such file or directory",
}


@pytest.mark.parametrize("make", BAD_SOUND, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", ["denoise", "live"])
def test_bad_sound_is_refused(tmp_path, make, command):
    make(tmp_path / "in.wav")
    (tmp_path / "out.wav").write_text("precious")
    words = ["denoise", "in.wav", "out.wav"]
    if command == "live":
        words = ["live", "--input-file", "in.wav", "--output-file", "out.wav"]
    done = rtsep(*words, "--model", "bypass", code=2)
    *_, line = done.stderr.splitlines()
    assert line.startswith("rtsep: ")
    among = (make, command) == (folder, "denoise")  # a folder of files is another thing
    assert ("a file, the input in.wav a folder" if among else BAD_SOUND[make]) in line
    assert (tmp_path / "out.wav").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} <= {"in.wav", "out.wav"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["noisy.wav", "noisy.wav", "-m", "bypass"], "is the input"),
        (
            ["noisy.wav", "nowhere/out.wav", "-m", "bypass"],
            "nowhere/out.wav: No such file or directory",
        ),
        (["noisy.wav", "/proc/out.wav", "-m", "bypass"], "/proc/out.wav: "),
        (["noisy.wav", "out.nonsense", "-m", "bypass"], "'nonsense'"),
        (["noisy.wav", "out.wav", "-m", "fam"], "nearest: 'fan'"),
        (["noisy.wav", "out.wav", "-m", "./none.npz"], "none.npz"),
        (["noisy.wav", "out.wav", "-m", "noisy.wav"], "noisy.wav"),
        (["noisy.wav", "out.wav", "-m", "broken.npz"], "broken.npz"),
        (["noisy.wav", "out.wav", "-m", "fan", "--keep", "fam"], "'fam'"),
        (["noisy.wav", "out.wav", "-m", "fan", "--strength", "2"], "strength=2.0 is outside 0..1"),
        (["noisy.wav", "out.wav", "-m", "fan", "--set", "strenght=1"], "nearest: 'strength'"),
        (["noisy.wav", "out.wav", "-m", "fan", "--set", "strength"], "NAME=VALUE"),
        (["noisy.wav", "out.wav", "-m", "fan", "--set", "freeze=on"], "freeze"),
        (["noisy.wav", "out.wav", "-m", "fan", "--set", "channels=2"], "no parameter 'channels'"),
        (["noisy.wav", "out.wav", "-m", "fan", "--set", "linked=0"], "no parameter 'linked'"),
        (["noisy.wav", "out.wav", "-m", "fan", "--stems", "noisy.wav"], "noisy.wav"),
    ],
)
def test_bad_words_are_refused(tmp_path, noisy, fan, words, reason):
    folder = tmp_path / "share/rtsep/models"
    folder.mkdir(parents=True)
    (folder / "fan.npz").write_bytes((tmp_path / "fan.npz").read_bytes())
    (tmp_path / "broken.npz").write_bytes((tmp_path / "fan.npz").read_bytes()[:5000])
    before = sorted(path.name for path in tmp_path.iterdir())
    done = rtsep("denoise", *words, code=2)
    assert reason in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_models_are_listed_and_shown(fan):
    os.makedirs("share/rtsep/models")
    os.rename(fan, "share/rtsep/models/fan.npz")
    with open("share/rtsep/models/worse.npz", "wb") as file:
        file.write(b"PK nonsense")
    rows = {row["name"]: row for row in json.loads(rtsep("models", "--json").stdout)}
    assert rows["fan"]["role"] == "remove"
    assert rows["fan"]["rank"] == 6
    assert "error" in rows["worse"]
    assert "fan" in rtsep("models").stdout
    assert json.loads(rtsep("models", "show", "fan", "--json").stdout)["kind"] == "nmf"
    assert json.loads(rtsep("models", "--json", "show", "fan").stdout)["kind"] == "nmf"
    assert "remove" in rtsep("models", "show", "fan").stdout
    lines = rtsep("models").stdout.splitlines()
    assert len({len(words[0]) for each in lines if (words := each.split(" nmf "))[1:]}) == 1
    assert len({each.index("48000 Hz") for each in lines if "48000 Hz" in each}) == 1
    assert "nearest: 'fan'" in refused("models", "show", "fam")


def test_learn_then_denoise(noisy):
    done = rtsep("learn", noisy, "-o", "hum.npz", "--rank", 4, "--json", "--role", "remove")
    card = json.loads(done.stdout)
    assert (card["name"], card["source"], card["rank"], card["rate"]) == ("hum", "hum", 4, 16000)
    assert card["command"].startswith("rtsep learn noisy.wav")
    report = json.loads(rtsep("denoise", noisy, "out.wav", "-m", "hum.npz", "--json").stdout)
    assert report["kept"] == ["unknown"]


@pytest.mark.parametrize("method", ["nmf", "plca", "mdnmf", "exemplar", "asvd"])
def test_learning_compiles_nothing(noisy, method):
    words = ["learn", noisy, "-o", "hum.npz", "--rank", 4, "--method", method]
    done = process(*map(str, words), env={"NUMBA_CACHE_DIR": os.path.abspath("cache")})
    assert done.returncode == 0, done.stderr
    assert "compiling" not in done.stderr
    assert not Path("cache").exists()


def test_learn_by_name_is_found_by_name(noisy):
    rtsep("learn", noisy, "--name", "hum", "--rank", 4, "--method", "asvd")
    assert "hum" in {row["name"] for row in json.loads(rtsep("models", "--json").stdout)}
    rtsep("denoise", noisy, "out.wav", "-m", "hum")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-o", "fan.npz"], "give recordings or --live"),
        (["noisy.wav", "--live", "3", "-o", "fan.npz"], "give recordings or --live"),
        (["noisy.wav"], "-o FILE.npz"),
        (["noisy.wav", "-o", "fan.wav"], "'.wav'"),
        (["noisy.wav", "-o", "fan.onnx"], "'.onnx' (wanted: .npz)"),
        (["noisy.wav", "-o", "nowhere/fan.npz"], "nowhere"),
        (["noisy.wav", "-o", "fan.npz", "--rank", "0"], "rank 0"),
        (["noisy.wav", "-o", "fan.npz", "--rate", "0"], "rate 0 Hz"),
        (["noisy.wav", "-o", "fan.npz", "--sparsity", "inf"], "sparsity is inf (wanted: 0 to"),
        (
            ["noisy.wav", "-o", "fan.npz", "--smoothness", "1e308"],
            "smoothness is 1e+308 (wanted",
        ),
        (["noisy.wav", "-o", "fan.npz", "--input", "usb"], "--input usb goes with --live"),
        (["none.wav", "-o", "fan.npz"], "none.wav"),
        (["--live", "-1", "-o", "fan.npz"], "--live -1"),
        (["noisy.wav", "--name", "../fan"], "'../fan'"),
    ],
)
def test_bad_words_to_learn_are_refused(tmp_path, noisy, words, reason):
    before = sorted(path.name for path in tmp_path.iterdir())
    assert reason in refused("learn", *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_live_through_files(noisy, fan):
    files = ["--input-file", noisy, "--output-file", "out.wav"]
    done = rtsep("live", "-m", fan, *files, "--seconds", 1, "--blocksize", 128, "--json")
    report = json.loads(done.stdout)
    assert report["seconds"] == 1
    assert 1 <= report["wall_seconds"] < 3
    assert report["meters"]["blocks"] == 125
    assert set(report["meters"]["source_db"]) == {"fan", "unknown"}
    assert sf.info("out.wav").frames == 16000
    assert "no sound card in use" in done.stderr


def test_live_tells_its_meters_in_words(noisy):
    done = rtsep("live", "-m", "bypass", "--input-file", noisy)
    assert "input" in done.stdout
    assert "latency 16.0 ms" in done.stdout
    assert "1.0 s" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_live_well(number):
    sf.write("long.wav", babble(16000 * 60), 16000)
    files = ["--input-file", "long.wav", "--output-file", "out.wav"]
    words = [*RTSEP, "live", "-m", "bypass", *files, "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while " s  input" not in process.stderr.readline():
        pass
    process.send_signal(number)
    told, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    report = json.loads(told)
    assert report["ended_early"]
    assert sf.info("out.wav").frames == round(report["seconds"] * 16000)


SIGNALLED = """
import signal, sys
from rtsep.cli.ctrl_c import ended_by_signals

def waits(step):
    steps = 0
    def trace(frame, event, argument):
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += 1
        if steps == step:
            signal.raise_signal(signal.SIGINT)
        return trace
    with ended_by_signals() as stop:
        sys.settrace(trace)
        stop.wait(0.001)
        sys.settrace(None)
        assert stop.is_set() == (steps >= step), step
    return steps >= step

step = 1
while waits(step):
    step += 1
print(step)
"""


def test_ctrl_c_may_come_at_any_step_of_waiting_for_it():
    """No handler waits for what the main thread holds: it runs in the main thread."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_denoise_without_a_trace(tmp_path, number, code):
    sf.write("long.wav", babble(48000 * 120), 48000)
    save("fan.npz", model("fan"))
    words = [*RTSEP, "denoise", "long.wav", "out.wav", "-m", "fan.npz"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".out.wav*")):
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert {path.name for path in tmp_path.iterdir()} == {"long.wav", "fan.npz"}


NO_DEVICE = """
_libname = None  # no library to keep
class default:
    hostapi = -1
query_devices = query_hostapis = lambda: []
"""


def test_without_a_sound_card_live_says_what_to_do(tmp_path):
    (tmp_path / "sounddevice.py").write_text(NO_DEVICE)
    without = {"PYTHONPATH": str(tmp_path)}
    line = one_line(process("live", "-m", "bypass", env=without))
    assert "no sound card" in line
    assert "--input-file" in line
    assert "no sound card" in one_line(process("devices", env=without))
    listed = process("devices", "--json", env=without)
    assert (listed.returncode, listed.stdout) == (0, "[]\n")
    assert listed.stderr == "no sound card: PortAudio finds no device\n"
    learning = process("learn", "--live", 1, "-o", "fan.npz", env=without)
    assert "no sound card" in one_line(learning)


def test_without_portaudio_one_line_names_the_package(tmp_path):
    """A sounddevice that finds no library, as on a bare Debian."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    for words in (["devices"], ["live", "-m", "bypass"]):
        line = one_line(process(*words, env={"PYTHONPATH": str(tmp_path)}))
        assert "apt install libportaudio2" in line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--seconds", "0"], "--seconds 0"),
        (["--seconds", "nan"], "--seconds nan is out of range"),
        (["--input-file", "noisy.wav", "--seconds", "inf"], "--seconds inf is out of range"),
        (["--output-file", "out.wav"], "needs an --input-file"),
    ],
)
def test_bad_words_to_live_are_refused(words, reason):
    assert reason in refused("live", *words)
