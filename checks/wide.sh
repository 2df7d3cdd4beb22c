#!/bin/sh
# No 256- or 512-bit register outside functions that are called only after the processor was asked:
# what is built runs on every x86-64. A build for the builder's own processor (target-cpu) is red.
# usage: checks/wide.sh [FILE...], each a library or program with its symbols (.so, .rlib, .o)
# Without a FILE: the Python package's library where it is built, and the kernels' own always.
# Exit: 0 clean, 1 something is wide that may not be, 2 it could not look.
set -eu
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "wide: not an x86-64, nothing to look at"; exit 0; }
command -v objdump >/dev/null || { echo "wide: no objdump; binutils has it" >&2; exit 2; }

# Who may be wide, by demangled name, and who asks the processor first:
# - our kernels: Path::is_available (rust/simd/src/columns/path.rs);
# - memchr: is_x86_feature_detected! before it stores one of these in its function pointer;
# - sha2: the cpufeatures token in front of its AVX2 compression;
# - argon2, aes, chacha20, poly1305: the token of cpufeatures, asked before each call;
# - the intrinsics themselves, where they were not inlined: code without the feature cannot call
#   them but by `unsafe`, and those above are all that has any.
# - curve25519-dalek: cpufeatures, once, in backend::get_selected_backend.
# A name counts from its start: a type in the brackets of another function excuses nothing.
allowed='cwts_simd::columns::(avx2|avx512)::'
allowed="$allowed|memchr::arch::x86_64::"
allowed="$allowed|sha2::sha(256|512)::x86_avx2::"
allowed="$allowed|argon2::Argon2::compress::compress_avx2"
allowed="$allowed|aes::backends::x86_vaes(256|512)::"
allowed="$allowed|(chacha20::backends|poly1305::backend)::avx(2|512)::"
allowed="$allowed|core::core_arch::x86::avx[0-9a-z]*::_mm(256|512)?_"
dalek="curve25519_dalek::backend::vector::([a-z_]+::)*(spec_)?avx2"
allowed="$allowed|(curve25519_dalek::window::[A-Za-z0-9]+<)?$dalek"
allowed="$allowed|curve25519_dalek::edwards::EdwardsPoint as $dalek"
allowed="^[0-9]+ [<&]*($allowed)"

if [ $# -eq 0 ]; then
    # Cargo names what it built; the target directory may be anywhere.
    kernels=$(cargo build ${CHECK_LOCKED---locked} --quiet --release -p cwts-simd \
        --message-format json | sed -n 's/.*"\([^"]*libcwts_simd[^"]*\.rlib\)".*/\1/p' | tail -n 1)
    [ -n "$kernels" ] || { echo "wide: cargo names no library of cwts-simd" >&2; exit 2; }
    set -- "$kernels"
    for built in python/cwts/_core*.so; do
        [ ! -f "$built" ] || set -- "$@" "$built"
    done
fi

# wide FILE: how many wide instructions each function has, "COUNT NAME". Registers that only a
# 512-bit processor has count too: masks, and vectors 16 to 31 of any width.
wide() {
    objdump -d -C --no-show-raw-insn "$1" | awk '
        /^[0-9a-f]+ <.*>:$/ { sub(/^[0-9a-f]+ </, ""); sub(/>:$/, ""); name = $0; next }
        /%[yz]mm|%k[0-7]|%xmm(1[6-9]|2[0-9]|3[01])/ { count[name]++ }
        END { for (name in count) print count[name], name }' | sort -rn
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
failed=0
for file; do
    symbols=$(nm "$file" 2>/dev/null | grep -ci ' t ') || symbols=0
    # Without names every instruction would be counted to the last export.
    [ "$symbols" -gt 0 ] || { echo "wide: $file has no symbols; look before it is stripped" >&2; exit 2; }
    wide "$file" >"$list"
    total=$(wc -l <"$list")
    strays=$(grep -cvE "$allowed" "$list") || true
    ours=$(grep -c 'cwts_simd::columns::' "$list") || true
    echo "wide $file: $symbols functions, $total wide, $ours of them kernels, $strays stray"
    if [ "$strays" -gt 0 ]; then
        failed=1
        grep -vE "$allowed" "$list" | head -n 20 | sed 's/^/  stray: /'
    fi
    # The kernels' own library without a wide function: this script no longer sees them.
    case $file in
    *libcwts_simd*) [ "$ours" -ge 2 ] || { echo "wide: no kernel found in $file" >&2; exit 2; } ;;
    esac
done
exit "$failed"
