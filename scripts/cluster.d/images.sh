# shellcheck shell=bash
# Images go to the node as archives: there is no registry.

# load_image IMAGE [PROGRAM]
load_image() {
  local work archive image=$1 program=${2:-}
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # of now
  trap "rm -rf '$work'" EXIT
  archive=$work/image.tar
  if [[ -n $program ]]; then
    archive_program "$image" "$archive" "$program"
  elif [[ -f $image ]]; then
    archive=$image
  else
    archive_image "$image" "$archive"
  fi
  provider_import "$archive"
  echo "loaded $image"
}

# archive_image IMAGE FILE: from the first engine that has it.
archive_image() {
  if has buildah inspect --type=image "$1"; then
    buildah push --quiet "$1" "docker-archive:$2:$1"
  elif has podman image inspect "$1"; then
    podman save --quiet --output "$2" "$1"
  elif has docker image inspect "$1"; then
    docker save --output "$2" "$1"
  else
    fail "no engine here has the image $1, and there is no such file: build it first (scripts/image)"
  fi
}

# archive_program IMAGE FILE PROGRAM [ARGUMENTS...]: an image that holds nothing but a static program. It
# is in the archive alone: this machine may have another one of that name.
archive_program() (
  image=$1 archive=$2 program=$3
  command -v buildah >/dev/null || fail 'buildah is missing; on Debian: apt-get install buildah'
  [[ -x $program ]] || fail "$program is not a program"
  entrypoint=$(printf ', "%s"' "/${program##*/}" "${@:4}")
  container=$(buildah from scratch)
  trap 'buildah rm "$container" >/dev/null' EXIT
  buildah copy --quiet "$container" "$program" "/${program##*/}" >/dev/null
  buildah config --entrypoint "[${entrypoint#, }]" --user 65532:65532 "$container"
  buildah commit --quiet --format docker "$container" "docker-archive:$archive:$image" >/dev/null
)

# has PROGRAM ARGUMENTS...: whether the program is there and the call succeeds.
has() { command -v "$1" >/dev/null && "$@" >/dev/null 2>&1; }
