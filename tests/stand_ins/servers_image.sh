#!/usr/bin/env bash
# PostgreSQL and Redis out of Debian's packages, for machines that reach no image registry:
#   servers_image.sh POSTGRES_TAG REDIS_TAG
#
# They are the real servers, behind an entrypoint that keeps the contract of the public images as far as
# docker-compose.yaml relies on it. Needs root on Debian. Both images are one folder.
set -euo pipefail
postgres_tag=$1 redis_tag=$2
apt-get --quiet=2 update
version=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root="$work/root"
chmod 755 "$work"

# Apt is told that nothing is installed, so that it names everything the servers need. Left out is what only
# their installation scripts and PostgreSQL's compiler of queries need: half of it.
mkdir -p "$work/cache/archives/partial" "$work/packages"
: >"$work/status"
options=(-o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root --quiet=2)
wanted="postgresql-$version postgresql-client-$version redis-server redis-tools coreutils dash grep sed"
needed=$(apt-get "${options[@]}" --no-install-recommends --simulate install $wanted | awk '/^Inst / { print $2 }' \
  | grep --invert-match --extended-regexp '^(libllvm|libperl|perl|libz3|locales|libc-l10n|.*-perl$|dpkg|passwd|openssl|debconf)')
(cd "$work/packages" && apt-get "${options[@]}" download $needed)

mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{dev,proc,sys,etc,tmp,run/postgresql,data,docker-entrypoint-initdb.d}
for merged in bin sbin lib lib64; do ln -s "usr/$merged" "$root/$merged"; done
for package in "$work"/packages/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -C "$root" --extract --keep-directory-symlink \
    --exclude='./usr/share/doc*' --exclude='./usr/share/man*' --exclude='./usr/share/locale*' --exclude='*llvmjit*' --exclude='*/bitcode/*'
done
ln -sf dash "$root/usr/bin/sh"
mkdir -p "$root/var/lib/postgresql/data"
ln -sfn /run "$root/var/run"
chmod 1777 "$root/tmp" "$root/run/postgresql"
chmod 1777 "$root/var/lib/postgresql/data"
# The numbers that the public images use.
chown -R 999:999 "$root/var/lib/postgresql" "$root/run/postgresql" "$root/data"
printf 'root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' >"$root/etc/group"
install --mode=755 "$here/postgres_entrypoint.sh" "$root/usr/bin/docker-entrypoint.sh"

servers="mlops-test-servers:$version"
tar -C "$root" --create --numeric-owner . \
  | docker import -c "ENV PATH=/usr/lib/postgresql/$version/bin:/usr/bin:/usr/sbin LANG=C.UTF-8" - "$servers" >/dev/null
docker build --quiet --tag "$postgres_tag" - >/dev/null <<IMAGE
FROM $servers
ENV PGDATA=/var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
IMAGE
docker build --quiet --tag "$redis_tag" - >/dev/null <<IMAGE
FROM $servers
WORKDIR /data
CMD ["redis-server"]
IMAGE
