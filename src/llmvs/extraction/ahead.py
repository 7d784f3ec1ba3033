"""Let an iterator work ahead in a thread of its own, so that decoding never waits for the model nor
the model for decoding.
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def ahead(  # noqa: C901 - two threads' sides of one queue, read best together
    items: Iterable[T], depth: int = 2
) -> Iterator[T]:
    """The same items in the same order, up to `depth` of them computed before they are asked for.

    What the iteration raises is raised here. When the consumer stops early, so does the thread.
    """
    ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(kind: str, value: T | BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                ready.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the consumer
            put("error", error)
        finally:
            if hasattr(items, "close"):
                items.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
