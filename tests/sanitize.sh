#!/usr/bin/env bash
# Run the tests of the compiled engine and of invalid files under AddressSanitizer
# and UndefinedBehaviorSanitizer, and those of its threads under ThreadSanitizer:
#
#     tests/sanitize.sh [address | thread]
#
# It requires GCC on Linux and an environment with the extra `test`. PYTHON is its
# interpreter, .venv/bin/python by default. The package is built and tested in a temporary
# directory. The first report of a sanitizer ends the tests with an error.

set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath --no-symlinks "${PYTHON:-.venv/bin/python}")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# Use copies, so that the usual build is neither reused nor replaced.
mkdir "$directory/source" "$directory/tests"
cp -r skmlp pyproject.toml README.md LICENSE "$directory/source"
rm -f "$directory"/source/skmlp/compiled/_engine{.c,.*.so}
cp -r tests conftest.py setup.cfg "$directory/tests"

# test_under SANITIZERS LIBRARY TESTS...: build the package with the sanitizers and run the
# tests. The library of the sanitizers must be loaded first.
test_under() {
    local sanitizers=$1 library=$2 package="$directory/$2"
    shift 2
    echo "== $sanitizers"
    # The libraries are those of GCC, so use it for each build of Python.
    CC=gcc LDSHARED="gcc -shared" LDFLAGS="-fsanitize=$sanitizers" \
        CFLAGS="-g -fsanitize=$sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer" \
        "$python" -m pip install -qq --no-deps --target "$package" "$directory/source"
    rm -rf "$directory/source/build"
    nm -D "$package"/skmlp/compiled/_engine.*.so | grep "__${library#lib}_" >/dev/null ||
        { echo "The extension was built without the sanitizer."; exit 1; }
    (
        cd "$directory/tests"
        export PYTHONPATH=$package SKMLP_REQUIRE_ENGINE=compiled
        export PYTHONMALLOC=malloc # blocks of Python would hide errors
        # Python does not free all memory. The allocation of a large array must fail.
        export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
        export UBSAN_OPTIONS=print_stacktrace=1
        export TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1
        # The C++ library, for the functions that a sanitizer looks up at its start.
        # Addresses that are not random, for ThreadSanitizer takes some for itself.
        LD_PRELOAD="$(gcc -print-file-name="$library.so") $(gcc -print-file-name=libstdc++.so)" \
            setarch --addr-no-randomize \
            "$python" -m pytest -p no:cacheprovider -q -x "$@"
    )
}

case ${1:-all} in address | all)
    test_under address,undefined libasan \
        tests/compiled tests/test_engine_parameter.py tests/test_fuzz.py \
        tests/persistence/test_fuzz_files.py
    ;;
esac
case ${1:-all} in thread | all)
    # Without what takes minutes even so, and forks.
    test_under thread libtsan tests/compiled/test_threads.py \
        tests/compiled/test_thread_choice.py -k "not wide and not joblib and not busy"
    ;;
esac
echo "No sanitizer reports anything."
