"""Rules of the house that lint has no rule for."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator

from tests.project.sources import ROOT, Module, assert_none, modules

EVERYTHING = modules("stock_assets", "storage", "dashboard", "tests", "benchmarks", "docs")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
LONGER_FILES = {"storage/tables.py": "every table's contract in one place"}
# Formats that run code when they are read, or libraries that write them.
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
READERS_THAT_MAY_UNPICKLE = {"pd.read_pickle", "pandas.read_pickle", "np.load", "numpy.load"}

UNPICKLING_FILES = {
    "stock_assets/workers.py": "units and errors travel between processes of one run; nothing is stored"
}
# Where every error is caught, and why that hides nothing.
BROAD_EXCEPTS = {
    "stock_assets/wide.py": "one bad ticker stops no other: its failure is told in `tickers`, check, log and exit code",
    "stock_assets/workers.py": "what a unit raises is handed to whoever asked for it",
    "stock_assets/forecasting/units.py": "what a unit raises is thrown into the work that asked for it",
    "stock_assets/sensors/_shared.py": "one ticker's facts make no tick fail: what is wrong with them is logged",
}
# About all tickers at once: no ticker's declared tables are what it reads.
READS_THE_LAKE_ITSELF = {"stock_assets/assets/pooled_evaluation.py"}


def test_only_settings_read_the_environment() -> None:
    others = [module for module in modules() if module.file != "stock_assets/settings.py"]
    readers = {"os.environ", "os.getenv", "os.putenv", "os.environb"}
    used = [
        module.at(node.lineno)
        for module in others
        for node in module.nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node) in readers
    ]
    imported = [
        module.at(node.lineno)
        for module in others
        for node in module.nodes
        if isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and {a.name for a in node.names} & {"environ", "getenv"}
    ]
    assert_none(used + imported)


def test_nothing_is_printed_outside_the_command_line() -> None:
    assert_none(module.at(call.lineno) for module in modules() for call, name in module.calls() if name == "print")


def _broad_excepts(module: Module) -> list[str]:
    # One that ends in a bare `raise` tidies up and hides nothing.
    return [
        module.at(node.lineno)
        for node in module.nodes
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Exception|BaseException)\b", ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"
    ]


def test_an_except_is_broad_only_in_files_that_are_named_here_with_the_reason() -> None:
    assert_none(
        offender for module in EVERYTHING if module.file not in BROAD_EXCEPTS for offender in _broad_excepts(module)
    )


def test_each_file_that_is_named_for_its_broad_except_has_one() -> None:
    having = {module.file for module in modules() if _broad_excepts(module)}
    assert_none(set(BROAD_EXCEPTS) - having)


def test_an_asset_reads_and_writes_only_what_it_declares() -> None:
    # Bodies are given a ticker's declared tables by `one.read`; what they return is written by `wide.py`.
    assert_none(
        f"{module.at(node.lineno)}: {ast.unparse(node)}"
        for module in modules("stock_assets/assets")
        if module.file not in READS_THE_LAKE_ITSELF
        for node in module.nodes
        if (isinstance(node, ast.Attribute) and node.attr == "lake")
        or (isinstance(node, ast.Name) and node.id in ("Lake", "Publisher"))
    )


def test_no_pickle_is_ever_written_or_read() -> None:
    imported = [
        f"{module.at(line)} imports {name}"
        for module in modules()
        if module.file not in UNPICKLING_FILES
        for line, name in module.imports
        if name.split(".")[0] in PICKLES
    ]
    assert_none(imported + [offender for module in modules() for offender in _unsafe_reads(module)])


def _unsafe_reads(module: Module) -> Iterator[str]:
    for call, name in module.calls():
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name in READERS_THAT_MAY_UNPICKLE and keywords.get("allow_pickle") != "False":
            yield f"{module.at(call.lineno)}: {name} without allow_pickle=False"
        if name == "torch.load" and keywords.get("weights_only") != "True":
            yield f"{module.at(call.lineno)}: weights only"


def test_the_domain_does_not_ask_what_time_it_is() -> None:
    clocks = re.compile(r"(datetime|date)\.(now|today|utcnow)$|Timestamp\.(now|today|utcnow)$|^time\.time$")
    assert_none(
        f"{module.at(call.lineno)}: {name}"
        for module in modules("stock_assets/forecasting")
        for call, name in module.calls()
        if clocks.search(name)
    )


def test_every_generator_of_numbers_is_seeded() -> None:
    assert_none(
        module.at(call.lineno)
        for module in EVERYTHING
        for call, name in module.calls()
        if name.endswith("default_rng") and not call.args + call.keywords
    )


def test_nobody_draws_from_the_process_wide_generators() -> None:
    legacy = re.compile(r"^(np|numpy)\.random\.(?!default_rng|Generator|SeedSequence|PCG64|Philox)|^random\.(?!Random)")
    assert_none(
        f"{module.at(call.lineno)}: {name}"
        for module in modules()
        for call, name in module.calls()
        if legacy.search(name)
    )


def test_a_file_has_one_subject() -> None:
    lengths = {module.file: module.text.count("\n") for module in EVERYTHING if module.file not in LONGER_FILES}
    assert_none(f"{file}: {lines} lines" for file, lines in lengths.items() if lines > MAX_FILE_LINES)


def test_a_function_fits_a_screen() -> None:
    assert_none(
        f"{module.at(node.lineno)}: {node.name} has {_lines(node)} lines"
        for module in EVERYTHING
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > MAX_FUNCTION_LINES
    )


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    documented = 1 if ast.get_docstring(node) else 0
    body = node.body[documented:] or node.body
    return int(body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def test_every_lint_ignore_says_why() -> None:
    # Wanted: the codes, then the reason in brackets or in another comment. A bare one hides more than it says.
    silent = re.compile(r"#\s*noqa(?!: *[A-Z]+\d+(, *[A-Z]+\d+)* +\S)")
    assert_none(
        module.at(line) for module in EVERYTHING for line, comment in _comments(module) if silent.search(comment)
    )


def _comments(module: Module) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def test_every_ignore_in_the_configuration_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("[tool.ruff.lint]") : text.index("[tool.mypy]")]
    codes = re.compile(r'^\s*"[A-Z]+\d*",|^"[^"]+" = \[')
    silent = [line for line in section.splitlines() if codes.search(line) and "#" not in line]
    assert not silent


def test_every_folder_of_tests_is_a_package_so_that_equal_file_names_do_not_collide() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert not [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()]


def test_warnings_of_our_packages_are_errors() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert {f"error:::{package}" for package in ("stock_assets", "storage", "dashboard")} <= set(
        options["filterwarnings"]
    )
