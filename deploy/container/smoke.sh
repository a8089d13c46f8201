#!/bin/sh
# Build the image on a base of Debian packages, run it with all restrictions, and print measurements.
# Requires root, mmdebstrap, buildah, podman, runc, curl, Debian's mirrors and a package index; uses no image registry.
# Takes minutes. No arguments. Exit code 0 if every check passes.
set -eu
cd "$(dirname "$0")/../.."

for tool in mmdebstrap buildah podman runc nsenter curl; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 1; }
done

scratch=$(mktemp -d)
name=exporter-smoke-$$
# vfs needs no kernel support; runc works where crun failed.
store="--root $scratch/storage --runroot $scratch/run --storage-driver vfs"
pod="podman $store --runtime runc --cgroup-manager cgroupfs"

finish() {
    $pod rm --force "$name" >/dev/null 2>&1 || true
    buildah $store rm --all >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() { echo "FAILED: $*" >&2; $pod logs "$name" >&2 2>/dev/null || true; exit 1; }
now() { date +%s%3N; }

echo "== bases"
mmdebstrap --quiet --variant=minbase --include=python3,python3-venv bookworm "$scratch/build.tar" >/dev/null
# Python and its libraries, without a shell or package manager data. Extracted only, so nothing has to run in it.
mmdebstrap --quiet --variant=extract --include=python3.11,base-files,netbase \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --extract-hook='ln -s python3.11 "$1/usr/bin/python3"' \
    --extract-hook='rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/bin/sh "$1"/usr/bin/bash' \
    bookworm "$scratch/runtime.tar" >/dev/null 2>&1
$pod import --quiet "$scratch/build.tar" localhost/build-base >/dev/null
$pod import --quiet "$scratch/runtime.tar" localhost/runtime-base >/dev/null
rm "$scratch"/*.tar

echo "== build"
# Download the packages outside, where pip has an index; the build reads them from a directory.
python=${PYTHON:-python3}
mkdir "$scratch/wheels"
for lock in requirements/run.txt deploy/container/build.txt; do
    "$python" -m pip download --quiet --python-version 3.11 --only-binary :all: --no-deps --require-hashes \
        --dest "$scratch/wheels" -r "$lock"
done
buildah $store bud --quiet --isolation chroot --format docker --layers=false \
    --volume "$scratch/wheels:/wheels:ro" --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels \
    --build-arg BASE=localhost/runtime-base --build-arg BUILD_BASE=localhost/build-base \
    --file deploy/container/Dockerfile --tag livepeer-session-exporter:smoke . >/dev/null

size=$($pod image inspect --format '{{.Size}}' livepeer-session-exporter:smoke)
base_size=$($pod image inspect --format '{{.Size}}' localhost/runtime-base)

echo "== run"
begin=$(now)
$pod run --detach --name "$name" --network none --read-only --read-only-tmpfs=false --cap-drop ALL \
    --security-opt no-new-privileges \
    --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=256:256 livepeer-session-exporter:smoke demo >/dev/null
pid=$($pod inspect --format '{{.State.Pid}}' "$name")
inside() { nsenter --target "$pid" --net curl --silent --show-error --fail --max-time 10 "$@"; }
until inside http://127.0.0.1:9877/readyz >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "it exited during the start"
    [ $(($(now) - begin)) -lt 60000 ] || fail "it was not ready within a minute"
    sleep 0.05
done
started=$(($(now) - begin))

field() { awk -v name="$1:" '$1 == name { $1 = ""; print substr($0, 2) }' "/proc/$pid/status"; }
[ "$(field Uid)" = "65532 65532 65532 65532" ] || fail "user is $(field Uid)"
[ "$(field NSpid | awk '{ print $NF }')" = 1 ] || fail "its PID is $(field NSpid), not 1"
[ "$(field CapEff)" = 0000000000000000 ] || fail "it has capabilities: $(field CapEff)"
[ "$(field NoNewPrivs)" = 1 ] || fail "it can gain privileges"
for shell in sh bash dash; do
    [ ! -e "/proc/$pid/root/bin/$shell" ] || fail "there is a shell: $shell"
done
$pod exec "$name" python3 -c '
try:
    open("/written", "w")
except OSError as error:
    print("root file system:", error.strerror)
else:
    raise SystemExit(1)' || fail "its root file system is writable"
$pod exec "$name" livepeer-session-exporter healthcheck || fail "the healthcheck failed"

until inside http://127.0.0.1:9877/metrics 2>/dev/null | grep -q '^livepeer_studio_up.* 1'; do
    [ $(($(now) - begin)) -lt 60000 ] || fail "the simulated account was not polled within a minute"
    sleep 0.2
done
inside http://127.0.0.1:9877/metrics >"$scratch/metrics"
sessions=$(grep -c '^livepeer_studio_session_info{' "$scratch/metrics") || fail "there are no sessions"
sleep 15
memory=$(field VmRSS)

echo "== stop"
begin=$(now)
$pod kill --signal TERM "$name" >/dev/null
code=$($pod wait "$name")
stopped=$(($(now) - begin))
[ "$code" = 0 ] || fail "the exit code is $code"
[ "$stopped" -lt 2000 ] || fail "it took $stopped ms to exit"

echo "image size:     $((size / 1000000)) MB, of which the base is $((base_size / 1000000)) MB"
echo "start to ready: $started ms, including the start of the container"
echo "resident:       $memory, demo mode with $sessions sessions"
echo "stop:           $stopped ms after SIGTERM, exit code $code"
