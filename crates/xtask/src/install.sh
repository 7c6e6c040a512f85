# Installs the Debian packages named as arguments, and starts none of the services in them.
set -eu
export DEBIAN_FRONTEND=noninteractive

# PostgreSQL's package makes and starts a database of its own unless told not to; the tests make theirs.
if ! command -v pg_lsclusters >/dev/null; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main-cluster.conf
fi

# Debian's way to say that a package being installed must not start its service: exit code 101.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

apt-get -q update
apt-get -q install -y --no-install-recommends "$@"
