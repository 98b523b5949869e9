"""The limits of threadpoolctl, which bound the threads of this library, too.

threadpoolctl (the extra ``fastsoftmax[threadpool]`` brings it) has to be told of libraries that it
doesn't know. ``import fastsoftmax`` does so where threadpoolctl was imported before; otherwise call
`register` once:

>>> import numpy as np, threadpoolctl
>>> import fastsoftmax, fastsoftmax.threadpool
>>> fastsoftmax.threadpool.register()
>>> with threadpoolctl.threadpool_limits(1, user_api="fastsoftmax"):
...     fastsoftmax.info()["threads by default"]
1
"""

from functools import cache

from fastsoftmax import _core

try:
    import threadpoolctl
except ModuleNotFoundError as missing:
    raise ImportError(
        f"fastsoftmax.threadpool needs threadpoolctl ({missing}): "
        "pip install 'fastsoftmax[threadpool]'"
    ) from missing

__all__ = ["Controller", "register"]


class _Unlimited(int):
    """The number of threads where there is no limit.

    threadpoolctl notes the number before it sets a limit, and sets that number in the end: given
    this one back, we know that there was none.
    """


class Controller(threadpoolctl.LibController):
    """What threadpoolctl asks and tells about this library.

    The limit is the whole process's: no call takes more threads, whatever its ``threads=``. The
    bits of results don't depend on it.
    """

    user_api = "fastsoftmax"
    internal_api = "fastsoftmax"
    filename_prefixes = ("_core",)
    check_symbols = ("fastsoftmax_thread_limit", "fastsoftmax_limit_threads")

    def get_num_threads(self) -> int:
        """Give the limit, or the default number of threads where there is none."""
        return self.dynlib.fastsoftmax_thread_limit() or _Unlimited(_core.default_threads())

    def set_num_threads(self, num_threads: int) -> None:
        """Set the limit.

        Parameters
        ----------
        num_threads : int
            The limit, or what `get_num_threads` gave where there was none.
        """
        none = isinstance(num_threads, _Unlimited)
        self.dynlib.fastsoftmax_limit_threads(0 if none else int(num_threads))

    def get_version(self) -> str:
        """Give the version of the library."""
        return _core.version


@cache
def register() -> None:
    """Tell threadpoolctl of this library; a second call does nothing."""
    threadpoolctl.register(Controller)
