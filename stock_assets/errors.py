"""The root of every error this project raises on purpose.

    StockAssetsError
    ├── storage.errors        InvalidTicker, ContractViolation, …
    ├── sources.base          UnknownTicker, NoDataInRange, RateLimited, Unreachable, MalformedData
    └── forecasting.errors    TooFewRows, ArtifactMismatch, …

An error of this tree is expected and curable: it is shown as one line that names the value,
what was expected, and the cure. Anything else is a bug and keeps its traceback.
"""


class StockAssetsError(Exception):
    """A failure a person can cure.

    Args:
        problem: what was found and what was expected, with the offending value.
        cure: what to do about it, in the imperative.
    """

    def __init__(self, problem: str, *, cure: str) -> None:
        self.problem = problem
        self.cure = cure
        super().__init__(f"{problem} — {cure}")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip between processes although `cure` is keyword-only."""
        return (_rebuild, (type(self), self.problem, self.cure))


def _rebuild(kind: type[StockAssetsError], problem: str, cure: str) -> StockAssetsError:
    error = kind.__new__(kind)
    StockAssetsError.__init__(error, problem, cure=cure)
    return error
