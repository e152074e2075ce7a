#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""usage: page.py IN OUT NAME=VALUE... [FACTS SIDE]

Makes a manual page: @NAME@ becomes VALUE, and a configuration's page gets what the option table says (FACTS is the program of facts.c, SIDE
ssh or sshd). There, `@option KEYWORD` begins a description, behind which the allowed words, the default and whether the option is built
are written; `@match` lists the keywords for Match blocks, `@retired KIND` those that are no longer options. A keyword without a description
or with two, a description without a keyword, or one out of the order of the alphabet, is an error.
"""
import re
import subprocess
import sys
import textwrap

WIDTH = 79
BUILT = {
    "less": "Not supported by this version: a value that asks for it gets a warning, and the feature is missing.",
    "absent": "Not supported by this version: a value that asks for it gets the warning\n.Dq Unsupported option\nand the feature is missing.",
    "more": "Not supported by this version, and any value but the default is refused, because going on without it would allow more than was asked "
            "for.",
}


class Wrong(Exception):
    pass


def ask_facts(program, side):
    rows, aliases = {}, []
    for line in subprocess.run([program, side], capture_output=True, text=True, check=True).stdout.splitlines():
        what, name, *rest = line.split("\t")
        if what == "option":
            rows[name] = dict(zip(("built", "counts", "words", "default"), rest))
        else:
            aliases.append((name, rest[0]))
    return rows, aliases


def quoted(word):
    """A word that mdoc takes for no macro and no punctuation."""
    return rf"\&{word}"


def joined(words, last="or"):
    """`.Cm` lines of a list in a sentence that ends with it."""
    lines = [f".Cm {quoted(word)}" for word in words]
    lines[:-2] = [f"{line} ," for line in lines[:-2]]
    if len(lines) > 1:
        lines[-2:] = [lines[-2], last, lines[-1]]
    lines[-1] += " ."
    return lines


def words_text(text, default):
    """Of words with one meaning the default, or else the first, stands for the others."""
    groups = [sorted((word for word in group.split("=") if word not in ("true", "false")), key=lambda word: word != default) for group in text.split(",")]
    out = ["May be"] + joined([group[0] for group in groups])
    for first, *others in groups:
        for other in others:
            out += [f".Cm {quoted(other)}", "means", f".Cm {quoted(first)} ."]
    return out


def default_text(text):
    if "," in text:     # a list of algorithms
        return ["The default:", ".Bd -literal -offset indent", *[name + "," for name in text.split(",")[:-1]], text.split(",")[-1], ".Ed"]
    return ["The default is", f".Cm {' '.join(quoted(word) for word in text.split())} ."]


def facts_text(row):
    out = [".Pp"] if any((row["words"], row["default"], row["built"] != "built", "adds" in row["counts"])) else []
    if row["words"]:
        out += words_text(row["words"], row["default"])
    if row["default"]:
        out += default_text(row["default"])
    if "adds" in row["counts"].split(","):
        out += (["Lines in the file take its place;", "each adds"] if row["default"] else ["Each line adds"]) + ["to those before it."]
    if row["built"] != "built":
        out += ([".Pp"] if len(out) > 1 else []) + BUILT[row["built"]].split("\n")
    return out


class Page:
    def __init__(self, rows, aliases):
        self.rows, self.aliases, self.seen, self.open = rows, aliases, [], None

    def close(self):
        out = facts_text(self.rows[self.open]) if self.open else []
        self.open = None
        return out

    def option(self, name):
        if name not in self.rows:
            raise Wrong(f"{name} is described, but is no keyword")
        if name in self.seen or (self.seen and self.seen[-1].lower() > name.lower()):
            raise Wrong(f"{name} is described twice, or not in the order of the alphabet")
        out = self.close()
        self.seen.append(name)
        self.open = name
        return [*out, f".It Cm {name}"]

    def retired(self, kind):
        if kind == "renamed":
            return [f".It Cm {name} Ta Cm {to}" for name, to in self.aliases if to not in ("ignored", "unsupported")]
        return joined([name for name, to in self.aliases if to == kind], "and")

    def line(self, line):
        command = line.split()
        if command[:1] == ["@option"]:
            return self.option(command[1])
        if line == "@end":
            return self.close()
        if line == "@match":
            return joined(sorted((name for name, row in self.rows.items() if "match" in row["counts"]), key=str.lower), "and")
        if command[:1] == ["@retired"]:
            return self.retired(command[1])
        return [line]

    def end(self):
        missing = sorted(set(self.rows) - set(self.seen))
        if missing or self.open:
            raise Wrong(f"no description of: {' '.join(missing)}" if missing else "no @end behind the last option")


def typeset(lines):
    """For roff: no accents in place of characters, no %-token taken for a macro, lines of text that fit a terminal."""
    literal = False
    for line in lines:
        if line.startswith('.\\"'):
            yield line
            continue
        literal = line.startswith(".Bd") or (literal and not line.startswith(".Ed"))
        line = line.replace("~", r"\(ti").replace("^", r"\(ha")
        if line.startswith("."):
            yield re.sub(r"(?<= )%(?=[A-Za-z])", r"\\&%", line)
        elif literal or len(line) < WIDTH:
            yield line
        else:
            yield from (re.sub(r"^(?=[.'])", r"\\&", part) for part in textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False))


def make(text, values, rows, aliases):
    page, out = Page(rows, aliases), []
    for line in text.split("\n"):
        out += page.line(line)
    page.end()
    for name, value in values.items():
        out = [line.replace(f"@{name}@", value) for line in out]
    left = [line for line in out if re.search(r"^@|@[a-z]+@", line)]
    if left:
        raise Wrong(f"unknown word: {left[0]}")
    return "\n".join(typeset(out))


def main():
    source, to, *rest = sys.argv[1:]
    values = dict(word.split("=", 1) for word in rest if "=" in word)
    facts = [word for word in rest if "=" not in word]
    rows, aliases = ask_facts(*facts) if facts else ({}, [])
    with open(source, encoding="utf-8") as f:
        text = f.read()
    try:
        made = make(text, values, rows, aliases)
    except Wrong as wrong:
        sys.exit(f"{source}: {wrong}")
    with open(to, "w", encoding="utf-8") as f:
        f.write(made)


if __name__ == "__main__":
    main()
