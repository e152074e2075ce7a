#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The manual pages say what the programs do: the option letters are those that the source takes, the keywords those of the option tables,
the commands of sftp and the escapes of ssh those of their tables; each page is sound mdoc and man(1) finds it."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, f"{TOP}/test/lib")
import programs  # noqa: E402
from tap import Tap, same  # noqa: E402

BUILT = f"{programs.build_folder()}/man"



def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources():
    """The names that man/meson.build makes pages of."""
    return re.findall(r"'([a-z0-9_-]+\.[158])'", re.search(r"man_pages = \[(.*?)\]", read(f"{TOP}/man/meson.build"), re.S)[1])


# ---- letters ----

def by_rows(text):
    """ssh's table: {'b', true, ...}."""
    return {letter: has_arg == "true" for letter, has_arg in re.findall(r"\{'(.)', (true|false),", text)}


def by_getopt(text):
    letters = re.search(r"getopt(?:_long)?\(argc, argv, \"\+?:?([^\"]*)\"", text)[1]
    found = {letter: bool(arg) for letter, arg in re.findall(r"(\w)(:?)", letters)}
    for words in re.findall(r"struct option \w+\[\] = \{(.*?)\};", text, re.S):
        found |= {word: how != "no" for word, how in re.findall(r"\{\"([a-z-]+)\", (no|required)_argument", words)}
    return found


def by_case(text):
    """ssh-copy-id: the labels of the case over one letter; those of the inner one take an argument, and so may -i."""
    inner = re.search(r"case \$letter in(.*?)\n        esac", text, re.S)[1]
    labels = re.findall(r"^        ([a-zA-Z](?: \| \\?.)*)\)", inner, re.M)
    letters = [letter.strip().strip("\\") for label in labels for letter in label.split("|")]
    return {letter: letter in "opFti" for letter in letters if letter != "?"}


def page_options(text):
    """The options of a page by its `.It Fl` lines: name and whether an argument is named."""
    found = []
    for line in re.findall(r"^\.It Fl (.*)$", text, re.M):
        words = line.split()
        found.append((words[0].replace("\\", "").lstrip("-&"), any(word == "Ar" for word in words)))
    return found


# Where the letters of a page come from, and those of them that only end in an error.
OPTIONS = {
    "scp.1": ("src/prog/scp/main.c", by_getopt, "1"),
    "sftp.1": ("src/prog/sftp/options.c", by_getopt, "12h"),
    "sftp-server.8": ("src/kit/files_args.c", by_getopt, ""),
    "ssh.1": ("src/prog/ssh/options.c", by_rows, "1"),
    "ssh-add.1": ("src/prog/ssh-add/main.c", by_getopt, ""),
    "ssh-agent.1": ("src/prog/ssh-agent/main.c", by_getopt, ""),
    "ssh-copy-id.1": ("src/prog/ssh-copy-id/ssh-copy-id", by_case, ""),
    "ssh-keygen.1": ("src/prog/ssh-keygen/main.c", by_getopt, ""),
    "ssh-keyscan.1": ("src/prog/ssh-keyscan/main.c", by_getopt, ""),
    "sshd.8": ("src/prog/sshd/options.c", by_getopt, "Q"),
}


# What SYNOPSIS need not show: letters without effect.
HIDDEN = {"ssh-keygen.1": "oX", "sshd.8": "Rbkr"}


def synopsis_options(text):
    """The letters and words of a page's SYNOPSIS."""
    part = text[text.index(".Sh SYNOPSIS"):text.index(".Sh DESCRIPTION")]
    found = set()
    for line in re.findall(r"\.(?:Op |Ar )?Fl (.*)", part):
        for words in re.split(r" \| (?:Fl )?", line):
            name = words.split()[0]
            found |= {name[1:]} if name[0] == "-" else set(name) if name == words else {name}
    return found


def check_letters(tap):
    for page, (path, how, refused) in OPTIONS.items():
        with tap.case(f"{page}: the options are the program's, each once"):
            want = {letter: arg for letter, arg in how(read(f"{TOP}/{path}")).items() if letter not in refused}
            found = page_options(read(f"{BUILT}/{page}"))
            same(sorted(name for name, _ in found), sorted(want), "options")
            same({name for name, arg in found if arg}, {name for name, arg in want.items() if arg}, "options with an argument")
            same(len(want) > 1, True, "options were found in the source")
        with tap.case(f"{page}: SYNOPSIS has no others"):
            same(sorted(synopsis_options(read(f"{BUILT}/{page}")) - set(want)), [], "options that are none")
            same(sorted(set(want) - synopsis_options(read(f"{BUILT}/{page}")) - set(HIDDEN.get(page, ""))), [], "missing options")


# ---- keywords ----

def check_keywords(tap):
    for side in "ssh", "sshd":
        facts = subprocess.run([f"{BUILT}/option-facts", side], capture_output=True, text=True, check=True).stdout
        names = [line.split("\t")[1] for line in facts.splitlines() if line.startswith("option\t")]
        page = read(f"{BUILT}/{side}_config.5")
        keywords = page[page.index(".Sh KEYWORDS"):page.index(".Ss Lists of algorithms")]
        with tap.case(f"{side}_config(5): each keyword of the table once, and no other"):
            same(sorted(re.findall(r"^\.It Cm ([A-Z]\w+)$", keywords, re.M)), sorted(names), "keywords")
            same(len(names) > 90, True, "keywords were found")
        with tap.case(f"{side}_config(5): retired keywords, too"):
            past = page[page.index(".Ss Keywords of the past"):]
            for name in (line.split("\t")[1] for line in facts.splitlines() if line.startswith("alias\t")):
                same(len(re.findall(rf"^\.(?:It )?Cm (?:\\&)?{name}\b", past, re.M)), 1, name)


def check_generator(tap):
    """What it must refuse."""
    good = read(f"{TOP}/man/ssh_config.5")
    flaws = {
        "a keyword without a description": good.replace("@option Tag\n", ""),
        "a description without a keyword": good.replace("@option Tag\n", "@option Tagg\n"),
        "two descriptions": good.replace("@option Tag\n", "@option Tag\nx\n@option Tag\n"),
        "a word that it does not know": good.replace("@option Tag\n", "@tag@ is\n@option Tag\n"),
    }
    with tempfile.TemporaryDirectory(prefix="nacre-") as folder:
        for what, text in flaws.items():
            with tap.case(f"no page is made with {what}"):
                with open(f"{folder}/in", "w", encoding="utf-8") as f:
                    f.write(text)
                done = subprocess.run([sys.executable, f"{TOP}/man/page.py", f"{folder}/in", f"{folder}/out", "version=1", f"{BUILT}/option-facts",
                                       "ssh"], capture_output=True, text=True, check=False)
                same((done.returncode, os.path.exists(f"{folder}/out")), (1, False), f"status and page; it said {done.stderr!r}")


# ---- form ----

def check_form(tap, folder):
    for page in sources():
        with tap.case(f"{page} is sound mdoc"):
            done = subprocess.run([programs.foreign("mandoc"), "-Tlint", "-Wwarning", f"{BUILT}/{page}"], capture_output=True, text=True, check=False)
            same(done.stdout + done.stderr, "", "what mandoc says")
            text = read(f"{BUILT}/{page}")
            same(text.startswith('.\\" SPDX-License-Identifier: ISC\n'), True, "licence line")
            same(re.search(r"\n\.Sh NAME\n\.Nm (\S+)\n\.Nd ", text)[1], page[:-2], "name")
        with tap.case(f"man finds {page}"):
            name, section = page.rsplit(".", 1)
            found = subprocess.run([programs.foreign("man"), "-M", folder, "-w", section, name], capture_output=True, text=True, check=False,
                                   env={"PATH": programs.PATH, "LC_ALL": "C"})
            same(found.stdout.strip(), f"{folder}/man{section}/{page}", "path")


# ---- other tables ----

def items(text, begin, end):
    """The `.It Cm` and `.It Ic` words between two lines of a page."""
    part = text[text.index(begin) + len(begin):]
    found = re.findall(r"^\.It (?:Cm|Ic) (\S+)", part[:part.index(end)], re.M)
    return sorted(word.replace(r"\&", "").replace(r"\(ti", "~").replace(r"\(ha", "^") for word in found)


def check_tables(tap):
    """Lists inside a page, against the tables of the source."""
    commands = re.findall(r'X\("(\S+?)",', read(f"{TOP}/src/prog/sftp/command.h"))
    keys = re.findall(r"\{(?:CTRL\()?'(.)'(\))?, ESCAPE_", read(f"{TOP}/src/prog/ssh-transport/escape.c"))
    queries = re.findall(r'\{"(\S+)", list_\w+, false\}', read(f"{TOP}/src/prog/ssh/query.c")) + ["help"]
    options = re.findall(r'\{"(\S+)", (?:FLAG_ONLY|FLAG_OR_NO|TEXT), ', read(f"{TOP}/src/key/key_options.c"))
    sets = {name: [f"%{letter}" for letter in letters + "%"] for name, letters in
            re.findall(r'token_set_(\w+)\[\] = "(\w+)"', read(f"{TOP}/src/conf/token.c"))}
    criteria = [re.findall(r'\{"([a-z-]+)", +(?:true|false)\}', read(f"{TOP}/src/conf/{side}_match.c")) for side in ("ssh", "sshd")]
    for name, page, begin, end, want in (("criteria of Match", "ssh_config.5", "\n.It Cm Match ", "\n.It Cm Include ", criteria[0]),
                                         ("criteria of Match", "sshd_config.5", "\n.It Cm Match ", "\n.It Cm Include ", criteria[1]),
                                         ("tokens", "ssh_config.5", "\n.Sh TOKENS\n", "\n.Sh ", sets["common"]),
                                         ("tokens", "sshd_config.5", "\n.Sh TOKENS\n", "\n.Sh ", sets["keys_command"]),
                                         ("sftp's commands", "sftp.1", "\n.Sh COMMANDS\n", "\n.Sh ", commands),
                                         ("ssh's escapes", "ssh.1", "\n.Sh ESCAPES\n", "\n.Sh ", [f"~{'^' * bool(ctrl)}{key}" for key, ctrl in keys]),
                                         ("what ssh -Q prints", "ssh.1", "\n.It Fl Q ", "\n.It Fl q", queries),
                                         ("options of authorized_keys", "sshd.8", "\n.Sh AUTHORIZED_KEYS\n", "\n.Sh ", options)):
        with tap.case(f"{page}: {name}"):
            same(items(read(f"{BUILT}/{page}"), begin, end), sorted(want), name)
            same(len(want) > 5, True, "a table was found")


def check_references(tap):
    """What the pages refer to with a name of ours is one of them."""
    ours = set(sources())
    names = {page.rsplit(".", 1)[0] for page in ours}
    with tap.case("references lead to pages that are there"):
        for page in ours:
            for name, section in re.findall(r"^\.Xr (\S+) (\d)", read(f"{BUILT}/{page}"), re.M):
                if name in names or name.startswith(("ssh", "sftp", "scp")):
                    same(f"{name}.{section}" in ours, True, f"{page}: {name}({section})")


def main():
    tap = Tap()
    check_letters(tap)
    check_keywords(tap)
    check_generator(tap)
    check_tables(tap)
    check_references(tap)
    with tempfile.TemporaryDirectory(prefix="nacre-") as folder:
        for page in sources():
            os.makedirs(f"{folder}/man{page[-1]}", exist_ok=True)
            shutil.copy(f"{BUILT}/{page}", f"{folder}/man{page[-1]}/{page}")
        check_form(tap, folder)
    tap.end()


main()
