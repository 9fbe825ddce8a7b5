import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from dashboard import glossary
from dashboard.app import PublicWithoutPassword, require_password
from dashboard.page import Page
from dashboard.views import all_views
from dashboard.views._base import Context, View
from stock_assets.settings import Settings


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.7", "::", "desk.example.org"])  # noqa: S104 (it is refused)
def test_no_public_address_without_a_password(address: str) -> None:
    with pytest.raises(PublicWithoutPassword, match=r"without a password — set STOCK_ASSETS_DASHBOARD_PASSWORD"):
        require_password(address, Settings(home=Path()))
    require_password(address, Settings(home=Path(), dashboard_password="open sesame"))  # noqa: S106 (of the test)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_alone_needs_no_password(address: str) -> None:
    require_password(address, Settings(home=Path()))


def test_every_page_has_its_own_place_question_and_known_terms() -> None:
    views = all_views()
    assert len({view.order for view in views}) == len(views)
    assert all(view.question.endswith("?") for view in views)
    assert all(glossary.explain(view.terms) is not None for view in views)


def test_the_dashboard_loads_neither_dagster_nor_a_model_library() -> None:
    code = "import sys, dashboard.page; from dashboard.views import all_views; all_views(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"dagster", "mlflow", "evidently", "torch", "tensorflow", "keras", "xgboost", "sklearn", "statsmodels"}
    assert heavy.isdisjoint(name.split(".")[0] for name in said)


@pytest.mark.parametrize("view", all_views())
def test_a_page_that_was_closed_is_let_go(empty_context: Context, view: type[View]) -> None:
    page = weakref.ref(Page(view(empty_context), empty_context, {}))
    gc.collect()
    assert page() is None
