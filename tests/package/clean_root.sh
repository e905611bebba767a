#!/usr/bin/env bash
# clean_root.sh BUILD-DIR: makes the Debian package and installs it into a root with nothing in it but
# the essential packages, as apt does it for an operator; then runs it there. For Debian; needs
# mmdebstrap, its mirror, and root or user namespaces. Some 30 s.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cpack --config "$1/CPackConfig.cmake" -B "$work/pack" >/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

# What is tried in the new root; its directories are those of the mmdebstrap hooks below.
cat >"$work/try" <<'EOF'
set -eux
fails() { ! "$@" >/tmp/out 2>/tmp/err; }
apt-get install -y -qq --no-install-recommends /tmp/halo.deb >/dev/null
halo --version
fails halo list                                            # no credentials
grep AURA_CLIENT_ID /tmp/err
fails halo --sandbox list                                  # without what is only recommended
grep libmicrohttpd /tmp/err
apt-get install -y -qq libmicrohttpd12 >/dev/null
halo --sandbox list >/tmp/out
grep orders-prod /tmp/out
cd /tmp
halo --sandbox --yes migrate >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
ldconfig -p | grep 'libhalo\.so\.'
apt-get purge -y -qq halo >/dev/null
fails sh -c 'ldconfig -p | grep libhalo'
fails ls /usr/bin/halo
EOF
cd "$work"
mmdebstrap --quiet --variant=minbase \
    --customize-hook='cp pack/*.deb "$1/tmp/halo.deb"' --customize-hook='cp try "$1/tmp/try"' \
    --customize-hook='chroot "$1" sh /tmp/try' \
    "$suite" /dev/null
echo "the package installs, runs and goes away in a clean root"
