#!/usr/bin/env bash
# Installs the library into a prefix of its own and builds two programs against what is there: one through
# find_package, one through pkg-config. Neither may see the source tree.
#
#   install_test.sh <build directory> <source directory> <cc> <cxx> <extra compile flags>
set -euo pipefail
build=$1 source=$2 cc=$3 cxx=$4 flags=${5:-}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" --component library >"$scratch/install.log"
cp -r "$source/tests/host/capi/outside" "$scratch/outside"
unset CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH

echo "== what was installed speaks of no other place"
if grep -rlF -e "$source" -e "$build" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h*'; then
  echo "install_test: the files above name the tree they were built from" >&2
  exit 1
fi

echo "== a C program through pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name linecrypt.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion linecrypt)" = 0.1.0 ]
libdir=$(pkg-config --variable=libdir linecrypt)
cd "$scratch/outside/pkgconfig"
# shellcheck disable=SC2046,SC2086
"$cc" -std=c99 -pedantic -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L $flags -MD -MF roundtrip.d \
  $(pkg-config --cflags linecrypt) roundtrip.c -o roundtrip $(pkg-config --libs linecrypt) -Wl,-rpath,"$libdir"
./roundtrip

echo "== a C++ program through find_package"
cd "$scratch/outside/cmake"
cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="$flags -MD" \
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF >configure.log
cmake --build build >build.log || { cat build.log; exit 1; }
build/outside

echo "== neither was built from the source tree"
deps=$(find "$scratch/outside" -name '*.d' -print)
[ -n "$deps" ]
# shellcheck disable=SC2086
if grep -F -e "$source/" $deps; then
  echo "install_test: a header came from the source tree" >&2
  exit 1
fi
# shellcheck disable=SC2086
grep -qF "$prefix/" $deps

echo "== only lc_* and the public C++ names leave the library"
library=$(find "$prefix" -name 'liblinecrypt.so.0')
leaked=$(nm -DC --defined-only "$library" | awk '{ $1 = ""; $2 = ""; print substr($0, 3) }' |
  grep -vE '^(lc_[a-z_]+|LINECRYPT_0|(linecrypt::(check|create_software_engine|IpAddress::|Prefix::|MacAddress::))|typeinfo (name )?for linecrypt::(Engine|LeaseAuthority))' || true)
if [ -n "$leaked" ]; then
  echo "install_test: also visible:" >&2
  echo "$leaked" >&2
  exit 1
fi
readelf -d "$library" | grep -q 'SONAME.*liblinecrypt.so.0'
echo "install_test: passed"
