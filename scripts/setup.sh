# Sourced by the scripts beside it: makes .venv from the hash-pinned locks, once.
#
#   setup run    what `tiltyard` needs
#   setup dev    that and what its tests need
#
# Needs bash and Python 3.11 or newer on a machine that reaches a Python package index: the one
# pip is configured for. As root on Debian, what is missing is installed by apt.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$project/.venv

step() { printf '== %s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 3
}

# Debian packages, by root; otherwise says what to install.
apt_install() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    step "Installing $* (apt)"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
  else
    fail "Please install $* (on Debian: apt-get install $*), then run this again."
  fi
}

# need PROGRAM PACKAGE …: installs the packages of the programs that are not there.
need() {
  local missing=()
  while [ "$#" -gt 0 ]; do
    if ! command -v "$1" >/dev/null; then missing+=("$2"); fi
    shift 2
  done
  if [ "${#missing[@]}" -gt 0 ]; then apt_install "${missing[@]}"; fi
}

python_works() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3 python3.14; do
    if command -v "$name" >/dev/null && python_works "$name"; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# What the environment was made from: another lock, place or Python makes it anew.
stamp_of() {
  (
    cd "$project"
    printf '%s\n' "$1" "$project" "$python"
    cat pyproject.toml requirements/{uv,node,"$1"}.lock requirements/node/*.json scripts/setup.sh
  ) | sha256sum | cut -d' ' -f1
}

stamped() { [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$(stamp_of "$1")" ]; }

# uv takes what pip is configured with: a company's index, local wheels, certificates.
uv_settings() {
  local index links
  index=${PIP_INDEX_URL:-$("$venv/bin/pip" config get global.index-url 2>/dev/null || true)}
  links=${PIP_FIND_LINKS:-$("$venv/bin/pip" config get global.find-links 2>/dev/null || true)}
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
  if [ -n "$links" ] && [ -z "${UV_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=$links; fi
  if [ -n "${PIP_CERT:-}" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE=$PIP_CERT; fi
}

node_works() {
  command -v npm >/dev/null &&
    node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' 2>/dev/null
}

# JupyterHub's proxy runs on Node: the machine's, if it is 20 or newer, else that of a wheel.
setup_node() {
  local PATH=$venv/bin:$PATH node=$venv/node
  if ! node_works; then
    step "Installing Node from requirements/node.lock"
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes \
      -r "$project/requirements/node.lock"
  fi
  mkdir -p "$node"
  cp "$project"/requirements/node/*.json "$node"
  npm ci --prefix "$node" --ignore-scripts --no-audit --no-fund --silent
  ln -sfn ../node/node_modules/.bin/configurable-http-proxy "$venv/bin/configurable-http-proxy"
}

setup() {
  local extra=$1 python
  python=$(find_python) || {
    apt_install python3 python3-venv
    python=$(find_python) || fail "Python 3.11 or newer is needed, with its venv module."
  }
  # What tests need includes what runs.
  if stamped "$extra" || stamped dev; then return; fi
  if [ ! -x "$venv/bin/pip" ] || ! python_works "$venv/bin/python"; then
    step "Making $venv with $python"
    "$python" -m venv --clear "$venv"
  fi
  step "Installing from requirements/$extra.lock; the first time it takes some minutes"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    -r "$project/requirements/uv.lock"
  uv_settings
  "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes \
    -r "$project/requirements/$extra.lock"
  "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation \
    --editable "$project"
  setup_node
  stamp_of "$extra" >"$venv/.stamp-$extra"
}
