# Sourced by tools/try, tools/test and .ci/run, from the checkout's root: makes .venv and asks the system for what pip cannot
# bring. A second run finds its stamp and does nothing.

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

python() {  # the first interpreter that rtsep runs on; PYTHON=... overrides
  [ -n "${python:-}" ] || for python in ${PYTHON:-python3 python3.13 python3.12 python3.11} ''; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
  done
  [ -n "$python" ] || die "rtsep needs Python 3.11 or newer; $(python3 --version 2>/dev/null || echo none) found (set PYTHON=...)"
  "$python" "$@"
}

# Does the machine have it? By what it does, not by its package's name, so that other distributions pass too.
has() {
  case $1 in
    libportaudio2) python -c 'import ctypes; ctypes.CDLL("libportaudio.so.2")' 2>/dev/null ;;
    libsndfile1)   .venv/bin/python -c 'import soundfile' 2>/dev/null ;;
    python3-venv)  python -c 'import venv' 2>/dev/null && { python -m pip --version || python -m ensurepip --version; } >/dev/null 2>&1 ;;
    python3-dev)   python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ;;
    gcc)           command -v gcc >/dev/null ;;
    libc6-dev)     [ -e /usr/include/stdio.h ] ;;
    *)             dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
  esac
}

refresh_apt() { [ -n "${apt_fresh:-}" ] || apt-get update -qq || true; apt_fresh=yes; }

# need PACKAGE...: installs those that are missing as root, else names them. --no-remove: a set-up never takes a desktop apart.
need() {
  local missing=() name
  for name in "$@"; do has "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "rtsep needs from the system: ${missing[*]}"
    say "  sudo apt-get install --no-remove --no-install-recommends ${missing[*]}"
    return 1
  fi
  say "installing from the system's packages: ${missing[*]}"
  refresh_apt
  local report
  report=$(DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-remove --no-install-recommends "${missing[@]}" 2>&1) \
    || { say "$report" "apt-get could not install: ${missing[*]}"; return 1; }
}

need_sound_servers() {  # pipewire-alsa stays out: it would push pulseaudio off the machine
  need libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils dbus \
    pipewire pipewire-bin pipewire-pulse wireplumber pipewire-jack jackd2 systemd
}

make_venv() {
  .venv/bin/python -m pip --version >/dev/null 2>&1 && return
  need python3-venv || exit 2
  say "making .venv with $(python --version)"
  python -m venv .venv >/dev/null 2>&1 && return
  # Debian without ensurepip: the interpreter's own pip fills the environment.
  python -m venv --without-pip .venv && python -m pip --quiet --python .venv/bin/python install pip || die ".venv could not be made"
}

# install EXTRA: rtsep, editable, with that extra, at the locked versions.
install() {
  local stamp=.venv/.rtsep-$1 state
  state=$({ pwd; cat pyproject.toml requirements.lock; } | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && return
  make_venv
  say "installing rtsep[$1] and the locked versions of what it needs (a minute or two)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[$1]" || die "pip could not install rtsep[$1]"
  has libsndfile1 || need libsndfile1 || exit 2
  printf '%s' "$state" > "$stamp"
}
