package bake

import (
	"bytes"
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// largestUserData is EC2's limit in bytes, before encoding.
const largestUserData = 16 << 10

// bakeScript is the user data of a build server. It only fetches the package, checks
// it and hands over to the boot agent inside; all else is the agent's work, where it
// can be tested. A server that cannot even do that powers off, and its console says why.
//
// MACHINE_ROOT is empty on a real server; where a machine's disk is a folder it names it.
const bakeScript = `#!/bin/sh
# Fearless: bake %[1]s, commit %[2]s.
set -eu
root="${MACHINE_ROOT-}"
trap 'echo "the package could not be unpacked"; shutdown -h now' EXIT
umask 077
mkdir -p "$root%[3]s"
cat >"$root%[4]s" <<'END-OF-INSTRUCTIONS'
%[5]s
END-OF-INSTRUCTIONS
fetch() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --retry 5 --retry-delay 2 --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --tries=5 --output-document="$2" "$1"
  else
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$1" "$2"
  fi
}
fetch '%[6]s' "$root%[7]s"
echo "%[8]s  $root%[7]s" | sha256sum --check --quiet
umask 022
tar --extract --gzip --no-same-owner --file "$root%[7]s" --directory "${root:-/}"
trap - EXIT
exec "$root%[9]s" provision "$root%[4]s"
`

// userData writes the script for one build server.
func userData(instructions contract.Provisioning, packageURL, sha256 string) ([]byte, error) {
	document, err := instructions.Marshal()
	if err != nil {
		return nil, exit.Unablef("the instructions of the build server cannot be written: %w", err)
	}
	// JSON on one line cannot end the here-document; a URL with a quote in it would
	// end its string, and no signer writes one.
	if bytes.ContainsRune(document, '\n') || strings.ContainsAny(packageURL, "'\n") {
		return nil, exit.Unablef("the instructions of the build server hold characters that a shell would read")
	}
	script := fmt.Sprintf(bakeScript, instructions.Application, instructions.Commit,
		contract.Home, contract.BakeFile, document, packageURL, contract.Package, sha256, contract.Agent)
	if len(script) > largestUserData {
		return nil, exit.Unablef("the instructions of the build server have %d bytes, EC2 takes %d", len(script), largestUserData).
			Hint("the credentials in use make very long presigned URLs; use OIDC with a role, whose session tokens are shorter")
	}
	return []byte(script), nil
}
