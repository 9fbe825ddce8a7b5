import pytest

from stock_assets.errors import StockAssetsError
from stock_assets.sources import base, open_source, source_names
from stock_assets.sources.base import UnknownSource


def test_sources_are_the_files_of_the_package() -> None:
    assert source_names() == ("csv", "sample", "yahoo")


def test_unknown_source_lists_the_names() -> None:
    with pytest.raises(UnknownSource, match="'quandl' is not a price source; expected one of csv, sample, yahoo"):
        open_source("quandl")


@pytest.mark.parametrize("name", ["base", "errors", "_bars", "../csv"])
def test_a_module_that_is_no_source_cannot_be_opened(name: str) -> None:
    with pytest.raises(UnknownSource, match="is not a price source"):
        open_source(name)


def test_each_source_knows_its_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bars")
    for name in source_names():
        assert open_source(name, csv_dir=folder).name == name


def test_every_source_error_is_curable() -> None:
    kinds = [kind for kind in vars(base).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert UnknownSource in kinds
    assert all(issubclass(kind, StockAssetsError) for kind in kinds)
