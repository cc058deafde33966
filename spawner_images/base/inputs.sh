# Sourced in build steps whose /tmp is a tmpfs: takes the mirrors and the extra CA that the build was
# given as secrets, so that no image keeps them. Without them apt and pip ask what they ask by default.
apt_options="-y -q -o Dpkg::Use-Pty=0 --no-install-recommends"
if [ -r /run/secrets/ca ]; then
  cat /run/secrets/ca >/tmp/ca.pem
  if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    cat /etc/ssl/certs/ca-certificates.crt >>/tmp/ca.pem
  fi
  export PIP_CERT=/tmp/ca.pem
  apt_options="$apt_options -o Acquire::https::CaInfo=/tmp/ca.pem"
fi
if [ -r /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -r /run/secrets/sources ]; then
  kind=list
  if grep -q '^Types:' /run/secrets/sources; then kind=sources; fi
  mkdir /tmp/sources.d
  cp /run/secrets/sources "/tmp/sources.d/given.$kind"
  apt_options="$apt_options -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/tmp/sources.d"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off

apt_install() {
  # shellcheck disable=SC2086 # options without spaces
  apt-get update $apt_options
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install $apt_options "$@"
  rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
    /var/cache/ldconfig/aux-cache /var/log/* /etc/*-
}

# Hash-pinned wheels, by the pip of /opt/tools: pip_install PYTHON LOCK. Nothing is compiled.
pip_install() {
  /opt/tools/bin/pip --python "$1" install --no-compile --require-hashes --only-binary :all: -r "$2"
}

# The same into /opt/venv, which is made when it is not there, without what nobody runs.
venv_install() {
  if [ ! -e /opt/venv ]; then python3 -m venv --without-pip /opt/venv; fi
  pip_install /opt/venv/bin/python "$1"
  sh /usr/local/lib/tiltyard/slim-venv
  compile /opt/venv/lib
}

# A container cannot write its packages' bytecode, and starts faster with it; what is compiled stays.
# Files that no program imports may be of another Python.
compile() { python3 -m compileall -q -j 0 "$1" || true; }

list_packages() { python3 /usr/local/lib/tiltyard/list-packages; }

# Builds the project of a folder and lays out in /project what it adds to an image.
project_install() {
  mkdir /tmp/wheel
  /opt/tools/bin/pip wheel --no-deps --no-build-isolation --no-index -w /tmp/wheel "$1"
  /opt/tools/bin/pip --python /opt/venv/bin/python install --no-deps --no-index --no-compile \
    --root /project /tmp/wheel/*.whl
  compile /project/opt/venv/lib
}
