"""Rules of the house that lint has no rule for."""

import ast
import io
import re
import tokenize
import tomllib

import pytest

from tests.project.sources import ROOT, Module, modules

EVERYTHING = modules("stock_assets", "storage", "dashboard", "tests", "benchmarks", "docs")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
LONGER_FILES = {"storage/tables.py": "every table's contract in one place"}
# Formats that run code when they are read, or libraries that write them.
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
READERS_THAT_MAY_UNPICKLE = {"pd.read_pickle", "pandas.read_pickle", "np.load", "numpy.load"}

each_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.file)
each_file = pytest.mark.parametrize("module", EVERYTHING, ids=lambda module: module.file)


@each_module
def test_only_settings_read_the_environment(module: Module) -> None:
    if module.file == "stock_assets/settings.py":
        return
    readers = {"os.environ", "os.getenv", "os.putenv", "os.environb"}
    used = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in readers
    ]
    imported = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and {a.name for a in node.names} & {"environ", "getenv"}
    ]
    assert not used + imported


@each_module
def test_nothing_is_printed_outside_the_command_line(module: Module) -> None:
    assert not [call.lineno for call, name in module.calls() if name == "print"]


@each_file
def test_no_except_is_broad(module: Module) -> None:
    # One that ends in a bare `raise` tidies up and hides nothing.
    broad = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Exception|BaseException)\b", ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"
    ]
    assert not broad


@each_module
def test_no_pickle_is_ever_written_or_read(module: Module) -> None:
    assert not [f"line {line} imports {name}" for line, name in module.imports() if name.split(".")[0] in PICKLES]
    for call, name in module.calls():
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert name not in READERS_THAT_MAY_UNPICKLE or keywords.get("allow_pickle") == "False", f"line {call.lineno}"
        assert name != "torch.load" or keywords.get("weights_only") == "True", f"line {call.lineno}: weights only"


@pytest.mark.parametrize("module", modules("stock_assets/forecasting"), ids=lambda module: module.file)
def test_the_domain_does_not_ask_what_time_it_is(module: Module) -> None:
    clocks = re.compile(r"(datetime|date)\.(now|today|utcnow)$|Timestamp\.(now|today|utcnow)$|^time\.time$")
    assert not [f"line {call.lineno}: {name}" for call, name in module.calls() if clocks.search(name)]


@each_file
def test_every_generator_of_numbers_is_seeded(module: Module) -> None:
    unseeded = [
        call.lineno for call, name in module.calls() if name.endswith("default_rng") and not call.args + call.keywords
    ]
    assert not unseeded


@each_module
def test_nobody_draws_from_the_process_wide_generators(module: Module) -> None:
    legacy = re.compile(r"^(np|numpy)\.random\.(?!default_rng|Generator|SeedSequence|PCG64|Philox)|^random\.(?!Random)")
    assert not [f"line {call.lineno}: {name}" for call, name in module.calls() if legacy.search(name)]


@each_file
def test_a_file_has_one_subject(module: Module) -> None:
    lines = module.text.count("\n")
    assert lines <= MAX_FILE_LINES or module.file in LONGER_FILES, f"{lines} lines"


@each_file
def test_a_function_fits_a_screen(module: Module) -> None:
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f"{node.name}: {_lines(node)}" for node in functions if _lines(node) > MAX_FUNCTION_LINES]
    assert not long


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    documented = 1 if ast.get_docstring(node) else 0
    body = node.body[documented:] or node.body
    return int(body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


@each_file
def test_every_lint_ignore_says_why(module: Module) -> None:
    # Wanted: the codes, then the reason in brackets or in another comment. A bare one hides more than it says.
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    silent = [line for line, comment in comments if re.search(r"#\s*noqa(?!: *[A-Z]+\d+(, *[A-Z]+\d+)* +\S)", comment)]
    assert not silent


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
