#!/usr/bin/env bash
# An image with Python 3.11 out of this machine's own, for machines that reach no image registry: python_image.sh TAG
#
# It stands in for the public slim image: Python in /usr/local, pip, a shell and a few tools, certificates. Wheels
# of a local folder that PIP_FIND_LINKS names come along, so that builds in it find what they find outside.
set -euo pipefail
umask 022
tag=$1
python=$(python3.11 -c 'import sys; print(sys.base_prefix)' 2>/dev/null || python3 -c 'import sys; print(sys.base_prefix)')
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{dev,proc,sys,etc/ssl/certs,usr/bin,usr/lib/x86_64-linux-gnu,usr/lib64,usr/local/bin,usr/local/lib,root,tmp,var/tmp}
chmod 1777 "$root/tmp" "$root/var/tmp"
for merged in bin lib lib64; do ln -s "usr/$merged" "$root/$merged"; done

tar -C "$python" --create --exclude=__pycache__ --exclude=site-packages --exclude=test --exclude=tests \
  --exclude='config-*' --exclude=idlelib --exclude=tkinter --exclude='_tkinter*' --exclude=turtledemo \
  bin/python3.11 lib/python3.11 | tar -C "$root/usr/local" --extract
for name in python python3; do ln -s python3.11 "$root/usr/local/bin/$name"; done
# A virtual environment of this machine, mounted at its place, looks for its interpreter where that is here.
if [ "$python" != /usr/local ]; then
  mkdir -p "$root$python"/{bin,lib}
  for part in bin/python3.11 lib/python3.11; do ln -s "/usr/local/$part" "$root$python/$part"; done
fi
# Outside of their first home the binaries find Python's library in a folder of the system.
cp -L "$python"/lib/libpython3*.so* "$root/usr/lib/x86_64-linux-gnu/" 2>/dev/null || true

packages="$root/usr/local/lib/python3.11/site-packages"
mkdir "$packages"
for wheel in "$python"/lib/python3.11/ensurepip/_bundled/*.whl; do python3 -m zipfile --extract "$wheel" "$packages"; done
printf '#!/bin/sh\nexec python3 -m pip "$@"\n' >"$root/usr/local/bin/pip"
chmod 755 "$root/usr/local/bin/pip"

tools="bash cat chmod chown cp dash env grep head id ls mkdir mv rm sed sleep tail touch"
for tool in $tools; do cp -L "$(type -P "$tool")" "$root/usr/bin/$tool"; done
ln -s dash "$root/usr/bin/sh"
# Also what public wheels count on, though nothing here links to it.
{
  ldd "$root"/usr/bin/* "$root"/usr/local/bin/python3.11 "$root"/usr/local/lib/python3.11/lib-dynload/*.so 2>/dev/null \
    | awk '/=> \// { print $3 } /^\t\/lib64/ { print $1 }'
  for library in libdl.so.2 libgcc_s.so.1 libpthread.so.0 librt.so.1 libstdc++.so.6 libutil.so.1; do
    echo "/usr/lib/x86_64-linux-gnu/$library"
  done
} | sort --unique | while read -r library; do
  case $library in
    */libpython3*) ;;
    *) cp -L "$library" "$root/usr/${library#/usr}" 2>/dev/null || cp -L "$library" "$root/usr/lib/x86_64-linux-gnu/" ;;
  esac
done

certificates=/etc/ssl/certs/ca-certificates.crt
cp -L "$certificates" "$root$certificates"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"

settings=(-c "ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PIP_ROOT_USER_ACTION=ignore"
  -c "ENV PIP_CERT=$certificates SSL_CERT_FILE=$certificates REQUESTS_CA_BUNDLE=$certificates")
if [ -d "${PIP_FIND_LINKS:-}" ]; then
  mkdir -p "$root/usr/local/share/wheels"
  cp "$PIP_FIND_LINKS"/*.whl "$root/usr/local/share/wheels/"
  settings+=(-c "ENV PIP_FIND_LINKS=/usr/local/share/wheels")
fi
tar -C "$root" --create --numeric-owner --owner=0 --group=0 . \
  | docker import "${settings[@]}" -c 'CMD ["python3"]' - "$tag" >/dev/null
