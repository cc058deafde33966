# Sourced after setup.sh by the scripts that need containers.
#
#   setup_docker          leaves an engine that answers alone; else, as root on Debian, installs and
#                         starts one in a session of its own and ends it when the script ends
#   setup_images LOCK     builds the images from this source and records them in LOCK; seconds when
#                         nothing has changed; needs `setup` and `setup_docker`
#   docker_possible       whether setup_docker would not fail for want of rights
#
# Without the right to it they end the script by a sentence that says what to install. A second
# engine is never started beside one that runs: it would take the first one's network away.

docker_packages="docker.io iptables iproute2"
docker_log=$venv/dockerd.log
docker_pid_file=/var/run/docker.pid
docker_wait_s=60
systemd_folder=/run/systemd/system
docker_started=

docker_answers() { docker version >/dev/null 2>&1; }

docker_possible() {
  docker_answers || { [ -z "${DOCKER_HOST:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
}

docker_runs() { [ -s "$docker_pid_file" ] && kill -0 "$(cat "$docker_pid_file")" 2>/dev/null; }

wait_for_docker() {
  local left=$((docker_wait_s * 2))
  until docker_answers; do
    if [ "$left" -le 0 ]; then return 1; fi
    if [ -n "$docker_started" ] && ! kill -0 "$docker_started" 2>/dev/null; then return 1; fi
    left=$((left - 1))
    sleep 0.5
  done
}

setup_docker() {
  if docker_answers; then return; fi
  if [ -n "${DOCKER_HOST:-}" ]; then
    fail "No Docker Engine answers at DOCKER_HOST ($DOCKER_HOST): start it, or unset DOCKER_HOST."
  fi
  if ! docker_possible; then
    fail "No Docker Engine answers: install and start one (on Debian: apt-get install" \
      "$docker_packages debootstrap), be root or in the group docker, then run this again."
  fi
  need dockerd docker.io docker docker.io iptables iptables ip iproute2
  if docker_runs || [ -d "$systemd_folder" ]; then
    wait_for_docker ||
      fail "dockerd is there, but does not answer: look at its log (journalctl -u docker), start" \
        "it anew (systemctl restart docker), then run this again."
    return
  fi
  step "Starting a Docker Engine; its log is $docker_log"
  mkdir -p "$(dirname "$docker_log")"
  setsid dockerd >"$docker_log" 2>&1 &
  docker_started=$!
  trap stop_docker EXIT
  wait_for_docker ||
    fail "The Docker Engine did not start: $(tail -n 1 "$docker_log") (the whole log: $docker_log)"
}

# Ends the engine that setup_docker has started, and nothing else.
stop_docker() {
  if [ -n "$docker_started" ]; then
    step "Stopping the Docker Engine"
    kill "$docker_started" 2>/dev/null || true
    wait "$docker_started" 2>/dev/null || true
    docker_started=
  fi
}

setup_images() {
  local from=()
  # Without root the base comes from where images.base says.
  if [ "$(id -u)" = 0 ]; then
    need debootstrap debootstrap
    from=(--from-debian)
  fi
  step "Building the images; the first time it takes some minutes"
  TILTYARD_HOME=$venv/images TILTYARD_IMAGES__LOCK=$1 TILTYARD_IMAGES__PATH=$project/spawner_images \
    "$venv/bin/tiltyard" images build "${from[@]}" >&2
}
