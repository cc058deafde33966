# Sourced in build steps: takes the mirrors and the extra CA that the build was given as secrets,
# so that no image keeps them. Without them apt and pip ask what they ask by default.
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
  apt_options="$apt_options -o Dir::Etc::SourceList=/run/secrets/sources -o Dir::Etc::SourceParts=-"
fi

apt_install() {
  # shellcheck disable=SC2086  options without spaces
  apt-get update $apt_options
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install $apt_options "$@"
  rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
}

# Hash-pinned wheels into /opt/venv; nothing is compiled.
pip_install() {
  /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
    --require-hashes --only-binary :all: -r "$1"
}
