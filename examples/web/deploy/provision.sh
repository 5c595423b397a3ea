#!/bin/sh
# Sets up the server that becomes the image: runs once, as root, in $APP_ROOT.
set -eu

if ! command -v go >/dev/null; then
	if [ "$(id -u)" != 0 ]; then
		echo "go is missing, and only root can install it" >&2
		exit 1
	fi
	if command -v dnf >/dev/null; then
		dnf install --assumeyes --quiet golang
	elif command -v apt-get >/dev/null; then
		apt-get update --quiet
		apt-get install --yes --quiet --no-install-recommends golang-go
	else
		echo "go is missing, and neither dnf nor apt-get is here to install it" >&2
		exit 1
	fi
fi

# What is only needed to build shall not be in the image.
if [ -z "${GOCACHE:-}" ]; then
	GOCACHE=$(mktemp -d)
	export GOCACHE
	trap 'rm -rf "$GOCACHE"' EXIT
fi

echo "building version $(cat VERSION) at commit ${COMMIT:-unknown} with $(go version)"
CGO_ENABLED=0 GOTOOLCHAIN=local go build -trimpath -buildvcs=false -ldflags "-s -w" -o bin/web .

# Processes run as the user app, who owns nothing in $APP_ROOT but this.
mkdir -p data
if [ "$(id -u)" = 0 ] && id app >/dev/null 2>&1; then
	chown app: data
fi
