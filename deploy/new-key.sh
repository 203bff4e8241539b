#!/bin/sh
# Add an API key to a file of keys for serve and dashboard, and print it: it is shown this once, the file has its digest.
#
#     deploy/new-key.sh KEYS.TOML NAME SCOPE...        # scopes: read, write, admin
set -eu
[ $# -ge 3 ] || { echo "usage: $0 KEYS.TOML NAME SCOPE...   (scopes: read, write, admin)" >&2; exit 2; }
file=$1 name=$2
shift 2
for word in "$name" "$@"; do
    case $word in *[!A-Za-z0-9._-]*) echo "error: $word: letters, digits and ._- only" >&2; exit 2 ;; esac
done
scopes=
for scope in "$@"; do
    case $scope in read | write | admin) ;; *) echo "error: $scope is no scope: read, write, admin" >&2; exit 2 ;; esac
    scopes="$scopes${scopes:+, }\"$scope\""
done
key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
digest=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
printf '[[key]]\nname = "%s"\nsha256 = "%s"\nscopes = [%s]\n\n' "$name" "$digest" "$scopes" >> "$file"
chmod a+r "$file"    # the container's user reads it; it holds no secret
echo "$key"
