#!/usr/bin/env bash
# Builds WORK/toolchain: a Rust compiler with the library for wasm32-unknown-unknown, from Debian's
# packages rustc-web and rust-web-src, which hold one compiler and the source of its own library.
# Nothing is installed and no toolchain that is there is touched; only if LLVM misses a shared library
# that the machine lacks is Debian's LLVM package installed.
#
#   debian-wasm.sh WORK CARGO
set -euo pipefail
work=$1 cargo=$2
target=wasm32-unknown-unknown
say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p'; }
known() { version=$(candidate rustc-web); [ -n "$version" ] && [ "$version" != '(none)' ]; }
known || as_root apt-get update -qq || true
known || fail 'Debian offers no package rustc-web here'

minor=$(printf '%s' "$version" | sed -E 's/^([0-9]+:)?([0-9]+\.[0-9]+).*/\2/')
llvm=$(apt-cache show "libstd-rust-web-$minor=$version" | grep -oE 'libllvm[0-9]+' | head -n 1)
[ -n "$llvm" ] || fail "cannot tell which LLVM rustc-web $version needs"
say "Downloading rustc-web $version with $llvm"
mkdir -p "$work/deb" "$work/x"
cd "$work/deb"
apt-get download -qq "rustc-web=$version" "libstd-rust-web-$minor=$version" "libstd-rust-web-dev=$version" \
  "rust-web-src=$version" "$llvm" "lld-${llvm#libllvm}"
say 'Unpacking'
for package in *.deb; do
  case $package in
    rust-web-src_*) dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/x" --wildcards './usr/src/rustc-*/library' ;;
    *) dpkg-deb -x "$package" "$work/x" ;;
  esac
done

from=$work/x/usr to=$work/toolchain
host=$(basename "$(ls -d "$from"/lib/rustlib/*-linux-gnu* | head -n 1)")
mkdir -p "$to/bin" "$to/libexec" "$to/lib/rustlib/$host/bin/gcc-ld"
cp "$from/bin/rustc" "$to/libexec/"
cp "$from"/lib/*-linux-gnu*/librustc_driver-*.so "$to/lib/"
cp -P "$from"/lib/*-linux-gnu*/libLLVM*.so* "$to/lib/"
cp -r "$from/lib/rustlib/$host/lib" "$to/lib/rustlib/$host/"
cp "$from/lib/${llvm/libllvm/llvm-}/bin/lld" "$to/lib/rustlib/$host/bin/rust-lld"
for name in ld.lld wasm-ld; do ln -s ../rust-lld "$to/lib/rustlib/$host/bin/gcc-ld/$name"; done
# The libraries are not in the folder that the compiler expects, so a script starts it.
cat >"$to/bin/rustc" <<'SCRIPT'
#!/bin/sh
here=$(dirname "$(dirname "$0")")
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/libexec/rustc" "$@"
SCRIPT
chmod 755 "$to/bin/rustc"
if LD_LIBRARY_PATH=$to/lib ldd "$to/libexec/rustc" | grep -q 'not found'; then
  say "Installing the shared libraries of $llvm"
  as_root apt-get install -y -qq --no-install-recommends "$llvm" || fail "cannot install $llvm"
fi

say "Building the library for $target"
library=$work/library
mv "$from"/src/rustc-*/library "$library"
cd "$library"
# The settings of the project's own builds must not reach this one.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER
export RUSTC=$to/bin/rustc RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=wasm-debian CARGO_TARGET_DIR=$work/target
export CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes --remap-path-prefix=$library=/rustc/library"
"$cargo" build --release --locked --manifest-path sysroot/Cargo.toml --target $target \
  --features panic-unwind,compiler-builtins-mem
mkdir -p "$to/lib/rustlib/$target/lib"
cp "$work/target/$target/release/deps"/*.rlib "$to/lib/rustlib/$target/lib/"
