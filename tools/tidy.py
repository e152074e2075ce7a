#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What can be checked about the tree without running it: sizes, room READMEs, licence lines, words, shell and Python. Speaks TAP.

Sizes are a ratchet: tools/ratchet holds how many functions and files are over the soft limits, and those numbers only go down.
"""
import ast
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TOP}/test/lib")
from tap import Skip, Tap  # noqa: E402

FUNCTION_SOFT, FUNCTION_HARD, FUNCTION_P99 = 70, 100, 90
FILE_SOFT, FILE_HARD, WIDTH = 500, 800, 160
PARTS = ["Owns", "May use", "Must never", "Data in, data out", "Invariants", "Start reading at"]
README_LINES = 60
ROOMS = ["base", "crypto", "key", "core", "agent", "conf", "os", "priv", "kit"]
PURE = {"base", "crypto", "key", "core", "agent", "conf"}
WORDS = {  # never in the tree: (pattern, in which files, why)
    "work named and not done": (r"\b(TODO|FIXME|XXX)\b", r".*"),
    "a call with a safer sister": (r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|alloca|rand|srand|tmpnam|mktemp|system|popen)\(",
                                   r"src/(?!.*/test/).*\.[ch]"),
    "goto, where CLEANUP() does it": (r"^\s*goto\s", r"src/.*\.c"),
    "<openssl/...> outside crypto/openssl": (r"#include <openssl/", r"src/(?!crypto/openssl/).*/(?!test/)[^/]*\.[ch]"),
    "zlib outside crypto/zlib": (r"#include <zlib\.h>", r"src/(?!crypto/zlib/).*\.[ch]"),
    "argon2 outside crypto/argon2": (r"#include <argon2\.h>", r"src/(?!crypto/argon2/).*\.[ch]"),
    "a path of this machine": (re.escape(TOP) + r"\b", r".*"),
}


def tracked(pattern):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\n")
    return [name for name in names if re.fullmatch(pattern, name) and os.path.isfile(f"{TOP}/{name}")]


def read(name):
    with open(f"{TOP}/{name}", encoding="utf-8", errors="replace") as f:
        return f.read()


def ratchet():
    return {line.split()[0]: int(line.split()[1]) for line in read("tools/ratchet").splitlines() if line and line[0] != "#"}


def report(tap, name, flaws):
    tap.ok(not flaws, name, "\n".join(flaws))


def over_soft(tap, name, key, found):
    allowed = ratchet()[key]
    report(tap, f"{name}: {len(found)}, at most {allowed}", found if len(found) > allowed else [])
    if len(found) < allowed:
        tap.note(f"lower {key} in tools/ratchet to {len(found)}")


def c_functions():
    """(lines, place) of each C function, by ctags."""
    command = ["ctags", "-L", "-", "-x", "--c-kinds=f", "--fields=+ne", "--_xformat=%{end} %n %F %N"]
    out = subprocess.run(command, input="\n".join(tracked(r"(src|test)/.*\.c")), cwd=TOP, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return [(int(end) - int(start) + 1, f"{path}:{start} {name}") for end, start, path, name in rows if end.isdigit()]


def python_functions():
    for path in tracked(r".*\.py"):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.end_lineno - node.lineno + 1, f"{path}:{node.lineno} {node.name}"


def check_functions(tap):
    sizes = sorted(c_functions() + list(python_functions()), reverse=True)
    if not sizes:
        raise AssertionError("ctags found no function")
    said = [f"{n} lines  {place}" for n, place in sizes]
    report(tap, f"no function over {FUNCTION_HARD} lines", [line for (n, _), line in zip(sizes, said) if n > FUNCTION_HARD])
    over_soft(tap, f"functions over {FUNCTION_SOFT} lines", "functions_over_soft", [line for (n, _), line in zip(sizes, said) if n > FUNCTION_SOFT])
    p99 = sizes[len(sizes) // 100][0]
    tap.ok(p99 <= FUNCTION_P99, f"99 of 100 functions have at most {FUNCTION_P99} lines (now {p99} of {len(sizes)})")


def check_files(tap):
    sizes = sorted(((read(name).count("\n"), name) for name in tracked(r"(src|test|tools)/.*\.(c|h|py|sh)")), reverse=True)
    report(tap, f"no file over {FILE_HARD} lines", [f"{n} lines  {name}" for n, name in sizes if n > FILE_HARD])
    over_soft(tap, f"files over {FILE_SOFT} lines", "files_over_soft", [f"{n} lines  {name}" for n, name in sizes if n > FILE_SOFT])
    wide = [f"{name}:{i}" for name in tracked(r"(src|test|tools)/.*\.(c|h|py|sh)") for i, line in enumerate(read(name).split("\n"), 1)
            if len(line) > WIDTH]
    report(tap, f"no line over {WIDTH} characters", wide)
    report(tap, "nothing that a fuzzer or an editor left behind", tracked(r"(.*/)?((crash|leak|oom|slow-unit|timeout)-[0-9a-f]{8,}|.*(\.orig|\.rej|~))"))


def meson_uses(room):
    """The rooms whose headers a room's own library sees, by its meson.build."""
    text = "".join(read(name) for name in tracked(rf"src/{room}/meson\.build"))
    calls = re.findall(r"(?:static_library|declare_dependency)\((.*?)\n(?=\S|$|\n)", text + "\n", re.S)
    names = {name for call in calls if "cmocka" not in call for name in re.findall(r"\b(\w+?)_dep\b", call)}
    names |= {name for call in calls for name in re.findall(r"\.\./(\w+)/api", call)}
    return {name.split("_")[0] for name in names} & set(ROOMS) - {room}


def readme_uses(room):
    text = re.search(r"May use\W*(.*?)(?=\n\s*\n|\n[#*]*\s*Must never)", read(f"src/{room}/README.md"), re.S)
    return {name for name in ROOMS if text and re.search(rf"\b{name}\b", text[1])} - {room}


def closure(uses, room):
    seen, todo = set(), [room]
    while todo:
        for name in uses[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    return seen


def check_readmes(tap):
    present = [room for room in ROOMS if os.path.exists(f"{TOP}/src/{room}/README.md")]
    report(tap, "every room has a README", [f"src/{room}/README.md is missing" for room in ROOMS if room not in present])
    flaws = []
    for room in present:
        text = read(f"src/{room}/README.md")
        flaws += [f"src/{room}/README.md has no `{part}`" for part in PARTS if part.lower() not in text.lower()]
        flaws += [f"src/{room}/README.md is over a page ({README_LINES} lines)"] * (text.count("\n") > README_LINES)
    report(tap, "every README has its six parts on a page", flaws)
    build = {room: meson_uses(room) for room in ROOMS}
    said = {room: readme_uses(room) if room in present else build[room] for room in ROOMS}
    flaws = []
    for room in present:
        may, does = closure(said, room), closure(build, room)
        if may != does:
            flaws.append(f"src/{room}: README says {' '.join(sorted(may)) or 'none'}; the build says {' '.join(sorted(does)) or 'none'}")
    report(tap, "each README's `May use` equals the build", flaws)
    report(tap, "pure rooms use pure rooms", [f"{room} uses {', '.join(bad)}" for room in PURE if (bad := closure(build, room) - PURE)])


def check_words(tap):
    me = "tools/tidy.py"
    for why, (pattern, where) in WORDS.items():
        found = [f"{name}:{i}: {line.strip()[:100]}" for name in tracked(where) if name != me and not name.endswith((".bin", ".corpus"))
                 for i, line in enumerate(read(name).split("\n"), 1) if re.search(pattern, line)]
        report(tap, f"nowhere: {why}", found)
    source = tracked(r".*(\.[ch158]|\.py|\.sh|\.md|meson\.build|meson_options\.txt|^dev|\.ci/run)")
    report(tap, "a licence line in every file", [name for name in source if "SPDX-License-Identifier: ISC" not in read(name)[:300]])


def check_scripts(tap):
    scripts = tracked(r"dev|\.ci/run|.*\.sh")
    with tap.case("shellcheck finds nothing"):
        try:
            done = subprocess.run(["shellcheck", "-x", *scripts], cwd=TOP, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Skip("shellcheck is not installed") from None
        if done.returncode:
            raise AssertionError(done.stdout[-3000:])
    report(tap, "programs are executable", [name for name in tracked(r".*\.(py|sh)|dev|\.ci/run")
                                            if read(name).startswith("#!") != os.access(f"{TOP}/{name}", os.X_OK)])


def main():
    tap = Tap()
    for check in check_functions, check_files, check_readmes, check_words, check_scripts:
        check(tap)
    tap.end()


main()
