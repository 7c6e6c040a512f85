# Installs the Debian packages named as arguments, and starts none of the services in them.
set -eu
export DEBIAN_FRONTEND=noninteractive

# PostgreSQL's package creates and starts a database cluster unless this file exists; the tests create their own.
if ! command -v pg_lsclusters >/dev/null; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main-cluster.conf
fi

# invoke-rc.d does not start the services of installed packages if this program exits with 101.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

apt-get -q update
apt-get -q install -y --no-install-recommends "$@"
